import json
import time
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.marketplace import IN_MODERATION, NOT_ANSWERED, PUBLISHED, InvalidPayload, Review
from service.integrations.ozon.reviews import parse_review
from tests.support.ozon_stub import NOON, json_of, review

NAMES = {"1700223344": "Пижама хлопок"}
FIELDS = tuple(review())
PERSONAL = ("text", "author", "customer", "addressee", "legal_info", "analytics_data", "photos")
SECRET = "Тест Тестов, +7 999 123-45-67"
JSON = json_of((*FIELDS, *PERSONAL))


def read(**changes):
    return parse_review(review(**changes), NAMES, NOON)


def test_a_review_is_read_whole():
    assert read() == Review(
        marketplace="ozon",
        external_id="01931f2e-5b1a-7c39-9e44-000000000001",
        created_at=datetime(2026, 11, 21, 7, 23, 55, 970_000, tzinfo=UTC),
        rating=2,
        text="Шов разошёлся через неделю",
        product_id="1700223344",
        product_name="Пижама хлопок",
        answered=False,
        answer_text=None,
        answer_state=NOT_ANSWERED,
        as_of=NOON,
    )


@pytest.mark.parametrize(
    ("status", "answered"),
    [("NEW", False), ("VIEWED", False), ("UNPROCESSED", False), ("PROCESSED", True), ("new", False)],
)
def test_a_review_is_answered_when_it_is_processed(status, answered):
    found = read(status=status)

    assert found.answered is answered
    assert found.answer_state == NOT_ANSWERED


@pytest.mark.parametrize(
    ("comments", "published_at", "state"),
    [
        (0, "2026-11-23T12:00:00Z", NOT_ANSWERED),
        (0, "2020-01-01T00:00:00Z", NOT_ANSWERED),
        (1, "2026-11-23T12:00:00Z", IN_MODERATION),
        (1, "2026-11-17T12:00:01Z", IN_MODERATION),
        (1, "2026-11-17T12:00:00Z", PUBLISHED),
        (None, "2026-11-23T12:00:00Z", IN_MODERATION),
        ("2", "2026-11-23T12:00:00Z", IN_MODERATION),
        (1, "2027-01-01T00:00:00Z", IN_MODERATION),
    ],
)
def test_the_comments_of_a_recent_processed_review_are_still_to_be_read(comments, published_at, state):
    found = read(status="PROCESSED", comments_amount=comments, published_at=published_at)

    assert (found.answered, found.answer_text, found.answer_state) == (True, None, state)


def test_a_sku_is_the_same_as_a_number_and_as_a_text():
    assert read(sku=1700223344) == read(sku="1700223344")


def test_a_product_without_a_name_is_none():
    assert read(sku="5").product_name is None


@pytest.mark.parametrize("text", [None, ""])
def test_a_review_may_have_no_text(text):
    assert read(text=text).text == ""


def test_what_a_database_refuses_and_what_names_the_buyer_is_masked_in_the_text():
    found = read(text="Плохо\x00\ud83d, звоните 8-999-123-45-67 или a@b.ru")

    assert found.text == "Плохо\ufffd?, звоните [phone] или [e-mail]"


def test_a_long_text_is_kept_whole():
    assert len(read(text="я" * 20_000).text) == 20_000


@pytest.mark.parametrize(
    ("written", "timestamp"),
    [
        ("2026-11-21T10:00:00+03:00", datetime(2026, 11, 21, 7, tzinfo=UTC)),
        ("2026-11-21T07:00:00", datetime(2026, 11, 21, 7, tzinfo=UTC)),
        ("2026-11-21T07:00:00.123456789Z", datetime(2026, 11, 21, 7, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
    ],
)
def test_a_date_is_in_utc_whatever_its_offset(written, timestamp):
    assert read(published_at=written).created_at == timestamp


@pytest.fixture
def _far_from_utc(monkeypatch):
    """The machine's clock is nine hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_from_utc")
def test_a_date_without_an_offset_is_not_of_the_machines_time_zone():
    assert read(published_at="2026-11-21T07:00:00").created_at == datetime(2026, 11, 21, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("sku", [None, "", 0, -1, True, 1.0, "1e3", "12a", "١٢", " 12", [1], "1" * 21]),
        ("text", [5, ["x"], {"a": "b"}, True]),
        ("rating", [None, 0, 6, True, "5", 4.0, [5]]),
        (
            "published_at",
            [None, "", "soon", 5, True, [], "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+03:00", "\ud83d"],
        ),
    ],
)
def test_a_review_of_which_a_part_is_odd_is_kept_without_it(field, values):
    for value in values:
        found = parse_review(review(status="PROCESSED") | {field: value}, NAMES, NOON)

        assert found.answered, value
        assert getattr(found, {"sku": "product_id", "published_at": "created_at"}.get(field, field)) in ("", 0, None)
        assert f"`{field}`" in found.odd.reason


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("id", [None, "", "  ", 5, ["x"], "x" * 101]),
        ("status", [None, "", "ARCHIVED", 5, {"a": 1}]),
    ],
)
def test_a_review_without_what_it_needs_is_invalid_and_says_which_field(field, values):
    whole = review()
    payloads = [review(**{field: value}) for value in values]
    payloads.append({name: value for name, value in whole.items() if name != field})

    for payload in payloads:
        found = parse_review(payload, NAMES, NOON)

        assert isinstance(found, InvalidPayload), payload
        assert f"`{field}`" in found.reason
        assert found.external_id == (None if field == "id" else whole["id"])


@pytest.mark.parametrize("payload", [None, "text", 5, [], [review()]])
def test_a_row_that_is_no_object_is_invalid(payload):
    found = parse_review(payload, NAMES, NOON)

    assert found == InvalidPayload(external_id=None, reason="The review is no JSON object.", payload={})


def test_what_is_kept_of_an_invalid_review_says_nothing_of_the_buyer():
    found = read(
        rating=7, author=SECRET, text=SECRET, photos=[SECRET], order_status={"customer": SECRET}, status=[SECRET]
    )

    assert found.payload == {
        "id": "01931f2e-5b1a-7c39-9e44-000000000001",
        "sku": "1700223344",
        "rating": 7,
        "published_at": "2026-11-21T07:23:55.970Z",
        "status": "<list>",
        "order_status": "<object>",
        "comments_amount": 0,
        "photos_amount": 1,
        "videos_amount": 0,
    }


@given(st.one_of(JSON, st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda changes: review() | changes)))
def test_anything_is_a_review_or_invalid(payload):
    found = parse_review(payload, NAMES, NOON)

    if isinstance(found, Review):
        assert 0 <= found.rating <= 5
        assert found.created_at is None or found.created_at.utcoffset().total_seconds() == 0
        assert all("\x00" not in value for value in texts_of(found))
    else:
        assert found.reason
        json.dumps(found.payload, allow_nan=False, ensure_ascii=False).encode()


@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    st.dictionaries(
        st.sampled_from(PERSONAL), st.just(SECRET) | st.just({"name": SECRET}) | st.just([SECRET]), min_size=1
    ),
)
def test_no_invalid_review_has_a_personal_field(changes, personal):
    found = parse_review(review() | changes | {"status": None} | personal, NAMES, NOON)

    assert not set(PERSONAL) & set(found.payload)
    assert SECRET not in json.dumps(found.payload, ensure_ascii=False)
    assert SECRET not in found.reason


def texts_of(value):
    held = (getattr(value, field.name) for field in fields(value))
    return [each.encode().decode() for each in held if isinstance(each, str)]
