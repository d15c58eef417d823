import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.integrations.marketplace import InvalidPayload, Item, Order
from service.integrations.wildberries.orders import parse_order
from tests.support.wildberries_payloads import BUYER, order

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(order())) | st.text(), inner),
    max_leaves=10,
)


def test_an_order_is_one_piece_at_the_sellers_price_in_moscow_time():
    assert parse_order(order()) == Order(
        marketplace="wb",
        external_id="eb.rd3f0a1c2.1.0",
        order_number="98765432101234567890",
        scheme="fbo",
        ordered_at=datetime(2026, 11, 21, 15, 8, 31, tzinfo=UTC),
        status="ordered",
        cancelled=False,
        cancelled_at=None,
        items=(
            Item(
                product_id="245901773",
                article="PJ-12/син",
                name="Пижамы TestBrand",
                quantity=1,
                price=Decimal("2080.50"),
                currency="RUB",
            ),
        ),
        as_of=datetime(2026, 11, 21, 15, 40, 7, tzinfo=UTC),
    )


def test_a_cancelled_order_says_when():
    found = parse_order(order(isCancel=True, cancelDate="2026-11-22T00:00:00"))

    assert (found.status, found.cancelled) == ("cancelled", True)
    assert found.cancelled_at == datetime(2026, 11, 21, 21, tzinfo=UTC)


@pytest.mark.parametrize("never", ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01"])
def test_a_date_that_stands_for_not_yet_is_none(never):
    found = parse_order(order(isCancel=True, cancelDate=never))

    assert (found.cancelled, found.cancelled_at) == (True, None)


@pytest.mark.parametrize("whatever", ["0001-01-01T00:00:00", None, 7, "2026-11-22T00:00:00"])
def test_an_order_that_is_not_cancelled_has_no_such_date(whatever):
    assert parse_order(order(cancelDate=whatever)).cancelled_at is None


@pytest.mark.parametrize(
    ("kind", "scheme"), [("Склад WB", "fbo"), ("Склад продавца", "fbs"), ("Луна", "unknown"), (None, "unknown")]
)
def test_the_warehouse_tells_the_scheme(kind, scheme):
    assert parse_order(order(warehouseType=kind)).scheme == scheme


def test_what_is_not_needed_may_be_missing_or_new():
    row = order(odid=7, orderType="Клиентский")
    for name in ("gNumber", "supplierArticle", "subject", "brand", "warehouseType"):
        del row[name]

    found = parse_order(row)

    assert (found.order_number, found.items[0].article, found.items[0].name) == ("", "", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"srid": None}, "srid is null, but must be a text"),
        ({"isCancel": 0}, "isCancel is 0, but must be true or false"),
        ({"lastChangeDate": 5}, "lastChangeDate is 5, but must be a date and time"),
    ],
)
def test_an_order_that_cannot_be_read_says_why_and_keeps_nothing_of_the_buyer(changes, reason):
    found = parse_order(order(buyerName=BUYER, regionName=BUYER) | changes)

    assert isinstance(found, InvalidPayload)
    assert found.reason == reason
    assert found.external_id == ("eb.rd3f0a1c2.1.0" if "srid" not in changes else None)
    assert found.payload["gNumber"] == "98765432101234567890"
    assert BUYER not in json.dumps(found.payload, ensure_ascii=False)


@pytest.mark.parametrize(
    ("changes", "reason", "kept"),
    [
        ({"priceWithDisc": None}, "priceWithDisc is null, but must be an amount of money", ("245901773", "0", "")),
        ({"priceWithDisc": "-1"}, "priceWithDisc is a text, but must be an amount of money", ("245901773", "0", "")),
        ({"nmId": "x"}, "nmId is a text, but must be a whole number", ("", "2080.50", "RUB")),
        ({"nmId": None}, "nmId is null, but must be a whole number", ("", "2080.50", "RUB")),
        ({"date": "0001-01-01T00:00:00"}, "date is a text, but must be a date", ("245901773", "2080.50", "RUB")),
        ({"date": None}, "date is null, but must be a date", ("245901773", "2080.50", "RUB")),
        ({"cancelDate": "soon"}, "cancelDate is a text, but must be a date", ("245901773", "2080.50", "RUB")),
        ({"cancelDate": 5}, "cancelDate is 5, but must be a date", ("245901773", "2080.50", "RUB")),
    ],
)
def test_an_order_of_which_a_part_is_odd_is_kept_without_it(changes, reason, kept):
    found = parse_order(order(isCancel=True, regionName=BUYER) | changes)

    [item] = found.items
    assert (item.product_id, str(item.price), item.currency) == kept
    assert (found.status, found.cancelled, found.cancelled_at) == ("cancelled", True, None)
    assert found.odd.external_id == found.external_id
    assert found.odd.reason.startswith(f"kept, but not all of it: {reason}")
    assert BUYER not in json.dumps(found.odd.payload, ensure_ascii=False)


@pytest.mark.parametrize("date", ["", None, "0001-01-01T00:00:00"])
def test_a_cancellation_may_have_no_date(date):
    found = parse_order(order(isCancel=True, cancelDate=date))

    assert (found.cancelled, found.cancelled_at, found.odd) == (True, None, None)


def test_all_that_is_odd_is_noted():
    found = parse_order(order(nmId=None, priceWithDisc=[], date=""))

    assert found.ordered_at == found.as_of
    assert [part.split()[0] for part in found.odd.reason.partition(": ")[2].split("; ")] == [
        "date",
        "priceWithDisc",
        "nmId",
    ]


def test_a_field_that_is_missing_is_named():
    row = order()
    del row["srid"]

    assert parse_order(row).reason == "srid is missing, but must be a text"


@given(JSON)
def test_whatever_wildberries_sends_is_an_order_or_says_why_not(payload):
    found = parse_order(payload)

    assert isinstance(found, InvalidPayload)
    json.dumps(found.payload, allow_nan=False)


@given(st.sampled_from(sorted(order())), JSON)
def test_an_order_with_any_field_spoilt_is_an_order_or_says_why_not(field, value):
    assert isinstance(parse_order(order() | {field: value}), Order | InvalidPayload)
