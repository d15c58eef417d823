import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.marketplace import InvalidPayload, Item, Order
from service.integrations.ozon.order_payloads import parse_order
from tests.support.ozon_stub import NOON, json_of, posting, product

FIELDS = (*posting(), "created_at")
PRODUCT_FIELDS = (*product(), "currency_code")
PERSONAL = ("customer", "addressee", "legal_info", "analytics_data", "financial_data", "external_order", "barcodes")
SECRET = "Тест Тестов, +7 999 123-45-67"
INNER = (*FIELDS, *PRODUCT_FIELDS, *PERSONAL, "amount", "currency")
JSON = json_of(INNER)
PRODUCTS = st.lists(st.dictionaries(st.sampled_from(PRODUCT_FIELDS), JSON).map(lambda changes: product() | changes))


def read(**changes):
    return parse_order(posting(**changes), "fbs", NOON)


def read_item(**changes):
    found = read(products=[product(**changes)])
    return found.items[0] if isinstance(found, Order) else found


def test_a_posting_is_read_whole_and_without_its_buyer():
    assert read() == Order(
        marketplace="ozon",
        external_id="0117733221-0004-1",
        order_number="0117733221-0004",
        scheme="fbs",
        ordered_at=datetime(2026, 11, 22, 8, tzinfo=UTC),
        status="awaiting_packaging",
        substatus="posting_created",
        cancelled=False,
        cancelled_at=None,
        items=(
            Item(
                product_id="1700223344",
                article="PJ-12",
                name="Пижама хлопок",
                quantity=2,
                price=Decimal("2080.00"),
                currency="RUB",
            ),
        ),
        as_of=NOON,
    )


def test_a_posting_is_cancelled_when_its_status_says_so():
    assert read(status="cancelled").cancelled
    assert not read(status="not_accepted").cancelled
    assert not read(status="awaiting_verification", substatus="posting_awaiting_passport_data").cancelled
    assert read(status="awaiting_deliver", substatus="posting_canceled").cancelled


@pytest.mark.parametrize("products", [[product(quantity=3)], [], None, "odd"])
def test_a_posting_that_was_split_has_nothing_of_its_own(products):
    found = read(status="cancelled_from_split_pending", substatus="posting_split_pending", products=products)

    assert (found.cancelled, found.items, found.odd) == (True, (), None)
    assert (found.status, found.substatus) == ("cancelled_from_split_pending", "posting_split_pending")


@pytest.mark.parametrize("substatus", [None, "", "   "])
def test_a_posting_may_have_no_substatus(substatus):
    assert read(substatus=substatus).substatus is None


@pytest.mark.parametrize("substatus", [7, ["posting_canceled"], {"name": "posting_created"}])
def test_an_odd_substatus_is_noted_and_the_posting_is_kept(substatus):
    found = read(substatus=substatus)

    assert (found.substatus, found.cancelled) == (None, False)
    assert "`substatus` must be a text" in found.odd.reason


@pytest.mark.parametrize("number", [None, ""])
def test_the_number_of_an_order_is_that_of_its_posting_without_the_last_part(number):
    assert read(order_number=number).order_number == "0117733221-0004"
    assert read(order_number=number, posting_number="0117").order_number == "0117"


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"created_at": "2026-11-20T08:00:00Z"}, 22),
        ({"in_process_at": None, "created_at": "2026-11-20T08:00:00Z"}, 20),
        ({"in_process_at": "0001-01-01T00:00:00Z"}, 24),
        ({"in_process_at": None, "shipment_date": None, "shipment_date_without_delay": "2026-11-25T08:00:00"}, 25),
    ],
)
def test_while_a_payment_is_late_another_date_is_that_of_the_order(changes, day):
    assert read(**changes).ordered_at.day == day


@pytest.mark.parametrize(
    ("price", "code", "amount"),
    [
        ({"amount": "2080.00", "currency": "RUB"}, None, "2080.00"),
        ({"amount": 0.1, "currency": "RUB"}, None, "0.1"),
        ({"amount": 2080, "currency": "RUB"}, None, "2080"),
        ({"amount": " 5 ", "currency": "RUB"}, None, "5"),
        ({"amount": "0", "currency": "RUB"}, None, "0"),
        ("81.00", "RUB", "81.00"),
        (81.5, "RUB", "81.5"),
    ],
)
def test_a_price_is_exact_whichever_way_it_is_written(price, code, amount):
    item = read_item(price=price, currency_code=code)

    assert (item.price, item.currency) == (Decimal(amount), "RUB")


def test_an_article_and_a_name_may_be_missing_and_are_cleaned():
    item = read_item(offer_id=None, name="Пижама\x00\ud83d" + "я" * 1000, sku="1700223344")

    assert item.article == ""
    assert item.name == ("Пижама\ufffd?" + "я" * 1000)[:500]
    assert item.product_id == "1700223344"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("posting_number", [None, "", 5, ["x"], "x" * 101]),
        ("status", [None, "", 5, "x" * 51]),
    ],
)
def test_a_posting_without_what_it_needs_is_invalid_and_says_which_field(field, values):
    whole = posting()

    for value in values:
        found = parse_order(whole | {field: value}, "fbs", NOON)

        assert isinstance(found, InvalidPayload), value
        assert f"`{field}`" in found.reason
        assert found.external_id == (None if field == "posting_number" else whole["posting_number"])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("order_number", [5, {}]),
        ("in_process_at", ["soon", 5, True]),
        ("products", [None, [], {}, "text", 5]),
        ("products[0]", [["text"], [None], [[]], [5]]),
    ],
)
def test_a_posting_of_which_a_part_is_odd_is_kept_without_it(field, values):
    whole, name = posting(status="cancelled"), field.partition("[")[0]

    for value in values:
        found = parse_order(whole | {name: value}, "fbs", NOON)

        assert (found.external_id, found.cancelled) == (whole["posting_number"], True), value
        assert (found.items == ()) == (name == "products")
        assert f"`{field}`" in found.odd.reason
        assert found.odd.external_id == found.external_id


@pytest.mark.parametrize("field", ["posting_number", "status"])
def test_a_posting_in_which_a_field_is_missing_is_invalid(field):
    payload = posting()
    del payload[field]

    assert f"`{field}`" in parse_order(payload, "fbs", NOON).reason


def test_a_posting_without_any_date_is_kept_without_one():
    found = read(in_process_at=None, shipment_date=None)

    assert found.ordered_at is None
    assert "`in_process_at`" in found.odd.reason


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("sku", [None, "", 0, True, "x"]),
        ("quantity", [None, 0, -1, "2", 1.5, True, 10**7]),
        ("offer_id", [5, []]),
        ("name", [5, {}]),
        (
            "price",
            [None, "", True, [], "81,00", "-1", "NaN", "Infinity", "1e400", "1_000", "٨١", "1" * 13, float("nan")],
        ),
        ("price", [float("inf"), -1, -0.5, 1e30, {}, {"amount": None, "currency": "RUB"}, {"amount": "5"}]),
        ("price", [{"amount": "5", "currency": code} for code in (None, "", "rub", "РУБ", "RUBL", 643)]),
    ],
)
def test_a_product_of_which_a_part_is_odd_is_kept_without_it(field, values):
    for value in values:
        found = read(products=[product(), product(currency_code="RUB") | {field: value}])

        first, odd = found.items
        names = {"sku": "product_id", "offer_id": "article"}
        without = {names.get(field, field): {"quantity": 0, "price": Decimal(0)}.get(field, "")}
        without |= {"currency": ""} if field == "price" else {}
        assert odd == replace(first, **without), value
        assert found.odd.reason.startswith(f"kept, but not all of it: In `products[1]`: `{field}`")


@pytest.mark.parametrize(
    "products",
    [
        [product(price={"amount": "999999999999", "currency": "RUB"})],
        [product(quantity=600_000, price={"amount": "1", "currency": "RUB"})] * 2,
    ],
)
def test_products_that_no_column_could_hold_are_left_out(products):
    found = read(products=products)

    assert found.items == ()
    assert "`products`" in found.odd.reason


@pytest.mark.parametrize("payload", [None, "text", 5, [], [posting()]])
def test_a_row_that_is_no_object_is_invalid(payload):
    found = parse_order(payload, "fbs", NOON)

    assert found == InvalidPayload(external_id=None, reason="The posting is no JSON object.", payload={})


def test_what_is_kept_of_an_odd_posting_says_nothing_of_the_buyer():
    strange = product(quantity=0, imei=[SECRET], price={"amount": float("nan"), "currency": "RUB", "customer": SECRET})

    odd = read(products=[strange, SECRET, *[product()] * 99], substatus=[SECRET], analytics_data={"city": SECRET}).odd

    assert odd.payload | {"products": odd.payload["products"][:1]} == {
        "posting_number": "0117733221-0004-1",
        "order_id": 30011223344,
        "order_number": "0117733221-0004",
        "status": "awaiting_packaging",
        "substatus": "<list>",
        "in_process_at": "2026-11-22T08:00:00Z",
        "shipment_date": "2026-11-24T12:00:00Z",
        "products": [
            {
                "sku": 1700223344,
                "offer_id": "PJ-12",
                "name": "Пижама хлопок",
                "quantity": 0,
                "price": {"amount": "nan", "currency": "RUB"},
            }
        ],
    }
    assert len(odd.payload["products"]) < 50


@given(
    st.one_of(
        JSON,
        st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda changes: posting() | changes),
        PRODUCTS.map(lambda products: posting(products=products)),
    )
)
def test_anything_is_an_order_or_invalid(payload):
    found = parse_order(payload, "fbs", NOON)

    if isinstance(found, Order):
        assert found.items or found.odd
        assert all(item.price.is_finite() and item.price >= 0 and item.quantity >= 0 for item in found.items)
        assert found.odd if found.ordered_at is None else not found.ordered_at.utcoffset()
    else:
        assert found.reason
        json.dumps(found.payload, allow_nan=False, ensure_ascii=False).encode()


@given(
    PRODUCTS,
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    st.dictionaries(
        st.sampled_from(PERSONAL), st.just(SECRET) | st.just({"name": SECRET}) | st.just([SECRET]), min_size=1
    ),
)
def test_no_invalid_posting_has_a_personal_field(products, changes, personal):
    products = [each | personal for each in products]

    found = parse_order(posting() | changes | personal | {"products": [*products, personal]}, "fbs", NOON)

    invalid = found.odd if isinstance(found, Order) else found
    assert not set(PERSONAL) & set(names_in(invalid.payload))
    assert SECRET not in json.dumps(invalid.payload, ensure_ascii=False)
    assert SECRET not in invalid.reason


def names_in(payload):
    if isinstance(payload, dict):
        return [name for field, value in payload.items() for name in (field, *names_in(value))]
    return [name for each in payload for name in names_in(each)] if isinstance(payload, list) else []
