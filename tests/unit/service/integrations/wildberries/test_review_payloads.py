import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.marketplace import IN_MODERATION, NOT_ANSWERED, PUBLISHED, REJECTED, InvalidPayload, Review
from service.integrations.wildberries.reviews import parse_review
from tests.support.ozon_stub import NOON
from tests.support.wildberries_payloads import BUYER, review

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(review())) | st.text(), inner),
    max_leaves=10,
)


def test_a_review_is_read_and_whoever_wrote_it_stays_outside():
    found = parse_review(review(), NOON)

    assert found == Review(
        marketplace="wb",
        external_id="Qm7xTz1BkAtKOit00001",
        created_at=datetime(2026, 11, 20, 8, 14, 5, tzinfo=UTC),
        rating=3,
        text="Маломерит, пришлось вернуть",
        pros="Мягкая ткань",
        cons="Размер",
        product_id="245901773",
        product_name="Пижама хлопок",
        answered=False,
        answer_text=None,
        answer_state=NOT_ANSWERED,
        as_of=NOON,
    )
    assert BUYER not in repr(found)


@pytest.mark.parametrize(
    ("created", "hour"), [("2026-11-20T08:00:00Z", 8), ("2026-11-20T08:00:00+03:00", 5), ("2026-11-20T08:00:00", 5)]
)
def test_a_review_is_of_the_moment_that_its_date_means(created, hour):
    assert parse_review(review(createdDate=created), NOON).created_at == datetime(2026, 11, 20, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        *[("wbRu", PUBLISHED), ("reviewRequired", IN_MODERATION), ("rejected", REJECTED), ("new word", PUBLISHED)],
        *[(None, PUBLISHED), ([], PUBLISHED), ({}, PUBLISHED)],
    ],
)
def test_an_answer_has_a_state(state, meaning):
    found = parse_review(review(answer={"text": "Спасибо", "state": state, "editable": True}), NOON)

    assert (found.answered, found.answer_text, found.answer_state) == (True, "Спасибо", meaning)


def test_a_review_may_have_stars_only():
    found = parse_review(review(text="", pros="", cons=None), NOON)

    assert (found.text, found.pros, found.cons) == ("", "", "")


def test_a_buyers_telephone_number_does_not_come_in():
    found = parse_review(review(text="Звоните +7 999 123-45-67", pros="a@example.org"), NOON)

    assert "999" not in found.text
    assert "example" not in found.pros


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "id is null, but must be a text"),
        ({"id": 7}, "id is 7, but must be a text"),
        ({"answer": BUYER}, "answer is a text, but must be an object"),
    ],
)
def test_a_review_that_cannot_be_read_says_why_and_keeps_nothing_of_the_buyer(changes, reason):
    found = parse_review(review(userName=BUYER) | changes, NOON)

    assert isinstance(found, InvalidPayload)
    assert found.reason == reason
    assert found.external_id == ("Qm7xTz1BkAtKOit00001" if "id" not in changes else None)
    kept = json.dumps(found.payload, ensure_ascii=False)
    assert "userName" not in kept
    assert "matchingSize" not in kept
    assert "Размер" in kept
    assert BUYER not in kept


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"productValuation": "5"}, "productValuation is a text, but must be a number from 1 to 5"),
        ({"productValuation": None}, "productValuation is null, but must be a number from 1 to 5"),
        ({"createdDate": "вчера"}, "createdDate is a text, but must be a date and time"),
        ({"text": {"ru": BUYER}}, "text is an object, but must be a text"),
        ({"pros": 5}, "pros is 5, but must be a text"),
        ({"productDetails": None}, "productDetails is null, but must be an object"),
        ({"productDetails": {}}, "nmId is missing, but must be a whole number"),
        ({"productDetails": {"nmId": None}}, "nmId is null, but must be a whole number"),
        ({"answer": {"text": [BUYER]}}, "text is a list, but must be a text"),
    ],
)
def test_a_review_of_which_a_part_is_odd_is_kept_without_it(changes, reason):
    found = parse_review(review(userName=BUYER) | changes, NOON)

    assert isinstance(found, Review)
    assert (found.rating, found.answered) == (0 if "productValuation" in changes else 3, "answer" in changes)
    assert (found.created_at is None) == ("createdDate" in changes)
    assert (found.product_id == "") == ("productDetails" in changes)
    assert (found.odd.external_id, found.odd.reason) == (found.external_id, f"kept, but not all of it: {reason}")
    assert BUYER not in json.dumps(found.odd.payload, ensure_ascii=False)


def test_of_the_product_and_the_answer_it_is_kept_what_they_are():
    found = parse_review(review(productValuation=0, answer={"text": "Ольга, спасибо", "state": "wbRu"}), NOON)

    assert found.odd.payload["productDetails"] == {
        "nmId": 245901773,
        "productName": "Пижама хлопок",
        "supplierArticle": "PJ-12/син",
    }
    assert found.odd.payload["answer"] == {"state": "wbRu"}


@given(JSON)
def test_whatever_wildberries_sends_is_a_review_or_says_why_not(payload):
    found = parse_review(payload, NOON)

    assert isinstance(found, InvalidPayload)
    json.dumps(found.payload, allow_nan=False)


@given(st.sampled_from(sorted(review())), JSON)
def test_a_review_with_any_field_spoilt_is_a_review_or_says_why_not(field, value):
    assert isinstance(parse_review(review() | {field: value}, NOON), Review | InvalidPayload)


@pytest.mark.parametrize(
    ("answer", "editable"),
    [(None, None), ({"text": "Спасибо"}, None), *(({"editable": said}, said) for said in (True, False))],
)
def test_whether_an_answer_may_be_changed_is_known_where_it_is_said(answer, editable):
    assert parse_review(review(answer=answer), NOON).answer_editable is editable
