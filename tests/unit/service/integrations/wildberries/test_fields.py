import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.marketplace import InvalidField
from service.integrations.wildberries.fields import (
    bool_field,
    digits_field,
    free_text_field,
    id_or_none,
    money_field,
    object_field,
    optional_text_field,
    rating_field,
    require_object,
    text_field,
    timestamp_field,
    whitelist,
)
from service.integrations.wildberries.moscow_time import MOSCOW, format_moscow

FIELD = "field"
NAMES = st.sampled_from([FIELD, "other"]) | st.text()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**40)
    | st.floats()
    | st.decimals()
    | st.text(st.characters())
    | st.datetimes().map(str),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=8,
)
READERS = [
    lambda row: text_field(row, FIELD, 10),
    lambda row: digits_field(row, FIELD),
    lambda row: free_text_field(row, FIELD),
    lambda row: optional_text_field(row, FIELD),
    lambda row: bool_field(row, FIELD),
    lambda row: rating_field(row, FIELD),
    lambda row: timestamp_field(row, FIELD),
    lambda row: timestamp_field(row, FIELD, MOSCOW),
    lambda row: money_field(row, FIELD),
    lambda row: object_field(row, FIELD),
]


def row_with(value):
    return {FIELD: value}


def error_of(reader, value):
    """The error of an invalid field; None for a valid one."""
    try:
        reader(row_with(value))
    except InvalidField as error:
        return str(error)
    return None


@given(JSON, st.sampled_from(READERS))
def test_a_field_of_any_kind_is_read_or_named(value, reader):
    said = error_of(reader, value)

    assert said is None or (said.startswith(f"{FIELD} is ") and "but must be" in said)


@given(st.text(st.characters()), st.sampled_from(READERS))
def test_a_sentence_about_a_field_never_holds_a_text(value, reader):
    said = error_of(reader, f"{value} Ольга")

    assert "Ольга" not in (said or "")


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader not in (READERS[2], READERS[3])])
def test_a_field_that_is_missing_or_null_is_named(reader):
    with pytest.raises(InvalidField, match=r"^field is missing, but must be "):
        reader({})
    with pytest.raises(InvalidField, match=r"^field is null, but must be "):
        reader(row_with(None))


@pytest.mark.parametrize(
    ("value", "kind"),
    [({}, "an object"), ([], "a list"), ("x", "a text"), (True, "true or false"), (1.5, "1.5"), (-7, "-7")],
)
def test_a_field_of_another_kind_is_told_by_its_kind(value, kind):
    with pytest.raises(InvalidField, match=f"^field is {kind}, but must be a number from 1 to 5$"):
        rating_field(row_with(value), FIELD)


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_a_row_that_is_no_object_is_said(value):
    with pytest.raises(InvalidField, match=r"^the row is no object, but (null|a list|a text|5)$"):
        require_object(value)


@pytest.mark.parametrize("value", ["", "  \n", 1, True, []])
def test_a_text_is_a_text_that_is_not_empty(value):
    with pytest.raises(InvalidField, match=r"a text$"):
        text_field(row_with(value), FIELD, 10)


def test_a_text_is_cut_and_has_nothing_that_a_database_refuses():
    assert text_field(row_with("Ж" * 20), FIELD, 10) == "Ж" * 10
    assert text_field(row_with("a\x00b\ud800"), FIELD, 10) == "a\ufffdb?"
    assert optional_text_field(row_with("a\x00"), FIELD) == "a\ufffd"
    assert free_text_field(row_with("a\x00"), FIELD) == "a\ufffd"


@pytest.mark.parametrize("value", [0, 7, 2**64 - 1, "0", "007", "1700223344"])
def test_a_whole_number_is_one_as_a_number_or_as_a_text(value):
    assert digits_field(row_with(value), FIELD) == str(value)


@pytest.mark.parametrize("value", [-1, 2**64, 1.0, True, "", "-1", "1.0", "1" * 21, "١٢", "²", [1]])
def test_what_is_no_whole_number_is_none(value):
    with pytest.raises(InvalidField, match=r"a whole number$"):
        digits_field(row_with(value), FIELD)


def test_an_opinion_is_without_the_buyers_number_and_may_be_missing():
    assert free_text_field(row_with("Звоните +7 999 123-45-67"), FIELD) == "Звоните [phone]"
    assert (
        free_text_field({}, FIELD),
        free_text_field(row_with(None), FIELD),
        free_text_field(row_with(""), FIELD),
    ) == (
        "",
        "",
        "",
    )
    assert len(free_text_field(row_with("Ж" * 20_000), FIELD)) == 10_000


@pytest.mark.parametrize("value", [1, [], {}, True])
def test_an_opinion_is_a_text(value):
    with pytest.raises(InvalidField, match=r"a text$"):
        free_text_field(row_with(value), FIELD)


def test_an_optional_text_is_empty_when_it_is_none():
    assert [
        optional_text_field(row, FIELD)
        for row in ({}, row_with(None), row_with(5), row_with(["x"]), row_with("x" * 600))
    ] == [
        *[""] * 4,
        "x" * 500,
    ]


@pytest.mark.parametrize(("value", "found"), [(True, True), (False, False)])
def test_a_flag_is_true_or_false(value, found):
    assert bool_field(row_with(value), FIELD) is found


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_what_only_looks_like_a_flag_is_none(value):
    with pytest.raises(InvalidField, match=r"true or false$"):
        bool_field(row_with(value), FIELD)


@pytest.mark.parametrize("stars", [1, 5])
def test_a_rating_has_one_to_five_stars(stars):
    assert rating_field(row_with(stars), FIELD) == stars


@pytest.mark.parametrize("stars", [0, 6, 4.0, "4", True, float("nan")])
def test_a_rating_of_another_number_is_none(stars):
    with pytest.raises(InvalidField, match=r"a number from 1 to 5$"):
        rating_field(row_with(stars), FIELD)


@pytest.mark.parametrize(
    ("written", "zone", "timestamp"),
    [
        ("2026-11-20T08:14:05Z", MOSCOW, datetime(2026, 11, 20, 8, 14, 5, tzinfo=UTC)),
        ("2026-11-20T08:14:05+03:00", UTC, datetime(2026, 11, 20, 5, 14, 5, tzinfo=UTC)),
        ("2026-11-20T08:14:05-05:30", MOSCOW, datetime(2026, 11, 20, 13, 44, 5, tzinfo=UTC)),
        ("2026-11-20T08:14:05", MOSCOW, datetime(2026, 11, 20, 5, 14, 5, tzinfo=UTC)),
        ("2026-11-20T08:14:05", UTC, datetime(2026, 11, 20, 8, 14, 5, tzinfo=UTC)),
        ("2026-11-20", MOSCOW, datetime(2026, 11, 19, 21, tzinfo=UTC)),
        ("2026-11-09T13:25:06.05603Z", UTC, datetime(2026, 11, 9, 13, 25, 6, 56030, tzinfo=UTC)),
        ("2026-11-09T13:25:06.123456789", MOSCOW, datetime(2026, 11, 9, 10, 25, 6, 123456, tzinfo=UTC)),
        # Moscow changes no clock, in the nights in which others do.
        ("2026-03-29T02:30:00", MOSCOW, datetime(2026, 3, 28, 23, 30, tzinfo=UTC)),
        ("2026-10-25T02:30:00", MOSCOW, datetime(2026, 10, 24, 23, 30, tzinfo=UTC)),
        ("2026-07-01T12:00:00", MOSCOW, datetime(2026, 7, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_is_in_utc_whatever_its_offset_was(written, zone, timestamp):
    found = timestamp_field(row_with(written), FIELD, zone)

    assert (found, found.tzinfo) == (timestamp, UTC)


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-02-30T00:00:00", "12:00", 1_795_430_000, "0001-01-01T00:00:00"]
)
def test_what_is_no_moment_is_none(value):
    with pytest.raises(InvalidField, match=r"a date and time$"):
        timestamp_field(row_with(value), FIELD, MOSCOW)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001  # they get their zone
def test_a_moment_in_moscow_comes_back_as_it_was(naive):
    timestamp = naive.replace(tzinfo=MOSCOW).astimezone(UTC)

    assert timestamp_field(row_with(format_moscow(timestamp)), FIELD, MOSCOW) == timestamp


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, "0.00"),
        (2080, "2080.00"),
        (1580.1, "1580.10"),
        ("2080.00", "2080.00"),
        (Decimal("1580.10"), "1580.10"),
        (0.1 + 0.2, "0.30"),
        (999_999_999_999, "999999999999.00"),
        (1e-400, "0.00"),
    ],
)
def test_money_is_exact_to_the_kopeck(value, amount):
    assert str(money_field(row_with(value), FIELD)) == amount


@pytest.mark.parametrize(
    "value",
    [-1, 10**12, float("nan"), float("inf"), "NaN", "sNaN", "ten roubles", "", True, [], "1e999999999999999999999"],
)
def test_what_is_no_money_is_none(value):
    with pytest.raises(InvalidField, match=r"an amount of money$"):
        money_field(row_with(value), FIELD)


def test_of_a_row_only_what_may_be_kept_is_kept():
    row = {"id": "7", "rating": 3, "price": Decimal("2.50"), "gone": None, "userName": "Ольга"}

    assert whitelist(row, frozenset({"id", "rating", "price", "gone", "missing"})) == {
        "id": "7",
        "rating": 3,
        "price": "2.50",
        "gone": None,
    }


@pytest.mark.parametrize("value", [{"userName": "Ольга"}, [{"userName": "Ольга"}], ["Ольга"]])
def test_of_what_is_inside_of_a_field_only_the_kind_is_kept(value):
    assert whitelist(row_with(value), frozenset({FIELD})) == row_with(
        "an object" if isinstance(value, dict) else "a list"
    )


def test_a_text_that_is_kept_is_without_the_buyers_number_and_not_endless():
    kept = whitelist({"a": "Звоните +7 999 123-45-67", "b": "x" * 20_000, "c": "\x00"}, frozenset("abc"))

    assert kept == {"a": "Звоните [phone]", "b": "x" * 10_000, "c": "\ufffd"}


@given(JSON)
def test_whatever_is_kept_is_json_that_every_database_takes(value):
    kept = whitelist(row_with(value), frozenset({FIELD}))

    text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text
    text.encode()


@given(JSON)
def test_a_row_has_an_identity_or_none(row):
    found = id_or_none(row, FIELD)

    assert found is None or (isinstance(row[FIELD], str) and len(found) <= 100)


def test_an_identity_is_cut_and_has_nothing_that_a_database_refuses():
    assert id_or_none(row_with("\x00" + "x" * 200), FIELD) == "\ufffd" + "x" * 99
    assert id_or_none(row_with(7), FIELD) is None
    assert id_or_none([FIELD], FIELD) is None
