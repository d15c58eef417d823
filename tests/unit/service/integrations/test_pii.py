from string import digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.pii import EMAIL, PHONE, mask_pii

PHONES = [
    "+7 (999) 123-45-67",
    "+7(999)1234567",
    "+79991234567",
    "+7 701 123 45 67",
    "8-999-123-45-67",
    "8 (999) 123 45 67",
    "8 999 1234567",
    "8 999 123-4567",
    "89991234567",
    "8 800 555 35 35",
    "8 (4722) 12-34-56",
    "8 (495) 123\u201145\u201167",
    "79991234567",
    "7 999 123 45 67",
    "999-123-45-67",
    "(999) 123-45-67",
    "+375 29 123-45-67",
    "+1 (202) 555-0143",
    "+44 20 7946 0958",
]
NO_PHONES = [
    "Артикул 1700223344, взяла второй раз",
    "245901773",
    "штрихкод 4607012345678",
    "штрихкод 8999123456789",
    "A89991234567",
    "PJ-12/син-8999",
    "размеры 8 46 48 50 52 54 56",
    "рост 165+ 42 44 46 48",
    "стоила 8 999 рублей, теперь 8 499,50",
    "2080.00 и 12 499 000",
    "12.08.2025 14:30:15",
    "2026-11-21T07:23:55.970Z",
    "8.11.2025 в 10:45",
    "отправление 0117733221-0004-1",
    "отправление 89012345678-0001-1",
    "упаковка 89012345-001",
    "+5 кг за 3 месяца, +100500",
]
EMAILS = ["a@b.ru", "ivan.petrov+shop@mail.example.com", "почта@пример.рф", "x_1@xn--e1afmkfd.xn--p1ai", "A@B.RU"]
NO_EMAILS = ["2 шт@100.50", "оценка @ 5", "ник @shop_test", "a@b"]

FOUR_SIGNS = st.lists(st.sampled_from(["", " ", "-", " - "]), min_size=4, max_size=4)


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("text", ["{}", "Звоните: {}, буду ждать", "тел.{}\n", "Мой номер ({})", "{}."])
def test_a_phone_number_is_masked_and_the_rest_stays(phone, text):
    assert mask_pii(text.format(phone)) == text.format(PHONE)


@pytest.mark.parametrize("text", NO_PHONES)
def test_a_number_that_is_nobodys_stays(text):
    assert mask_pii(text) == text


@pytest.mark.parametrize("email", EMAILS)
@pytest.mark.parametrize("text", ["{}", "Пишите на {}!", "{}.", "<{}>"])
def test_an_email_address_is_masked_and_the_rest_stays(email, text):
    assert mask_pii(text.format(email)) == text.format(EMAIL)


@pytest.mark.parametrize("text", NO_EMAILS)
def test_an_at_sign_alone_is_no_address(text):
    assert mask_pii(text) == text


def test_all_of_several_are_masked():
    text = "89991234567 или +7 999 765-43-21, почта a@b.ru"

    assert mask_pii(text) == f"{PHONE} или {PHONE}, почта {EMAIL}"


@given(number=st.from_regex(r"(\+7|8)~9[0-9]{2}~[0-9]{3}~[0-9]{2}~[0-9]{2}", fullmatch=True), signs=FOUR_SIGNS)
def test_no_mobile_number_gets_through_however_it_is_spaced(number, signs):
    for sign in signs:
        number = number.replace("~", sign, 1)

    assert mask_pii(f"Номер {number}") == f"Номер {PHONE}"


@given(st.text(digits, min_size=12, max_size=14))
def test_a_barcode_stays(barcode):
    assert mask_pii(f"код {barcode} на бирке") == f"код {barcode} на бирке"


@given(st.text(st.characters(exclude_characters="@", exclude_categories=["Nd", "Cs"])))
def test_a_text_without_digits_and_addresses_stays(text):
    assert mask_pii(text) == text


@given(st.text(alphabet="0123456789 ()-+.@abя\n", max_size=200))
def test_what_was_masked_stays_as_it_is(text):
    masked = mask_pii(text)

    assert mask_pii(masked) == masked


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["a", "a@", "a.", "@a.", "8 ", "+7 ", "+1", "8 999 ", "((", "1"])
def test_no_text_takes_long(part):
    assert isinstance(mask_pii(part * 100_000), str)
