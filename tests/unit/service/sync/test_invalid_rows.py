from datetime import timedelta
from decimal import Decimal

import pytest

from service.database.tables import InvalidRow
from service.sync import invalid_rows
from service.sync.invalid_rows import InvalidRows
from telemetry.database import transaction
from tests.support.fakes import MINUTE, NOON, invalid_row, on_sqlite, plans_of, rows_of

LATER = NOON + 60 * MINUTE
MUCH_LATER = NOON + timedelta(days=1)
SOURCE = "wb.orders"


@pytest.fixture
def record(engine):
    def record(*rows, now=NOON, source=SOURCE):
        with transaction(engine) as session:
            InvalidRows(session, source).record(rows, now)

    return record


@pytest.fixture
def resolve(engine):
    def resolve(*external_ids, source=SOURCE):
        with transaction(engine) as session:
            InvalidRows(session, source).resolve(external_ids)

    return resolve


def kept(engine):
    return [(row.source, row.external_id, row.times) for row in rows_of(engine, InvalidRow)]


def test_a_row_is_kept_with_its_reason_and_what_there_was_of_it(engine, record):
    record(invalid_row(1, reason="date is missing", payload={"nmId": 245901773, "size": "M", "date": None}))

    [row] = rows_of(engine, InvalidRow)
    assert (row.source, row.external_id, row.reason) == (SOURCE, "order-1", "date is missing")
    assert row.payload == {"nmId": 245901773, "size": "M", "date": None}
    assert (row.first_seen_at, row.last_seen_at, row.times) == (NOON, NOON, 1)


def test_the_same_again_is_counted_and_not_kept_twice(engine, record):
    record(invalid_row(1), invalid_row(1))
    record(invalid_row(1), now=LATER)

    [row] = rows_of(engine, InvalidRow)
    assert (row.first_seen_at, row.last_seen_at, row.times) == (NOON, LATER, 3)


@on_sqlite
def test_the_same_is_the_same_in_whatever_order_its_fields_come(engine, record):
    payload = {"nmId": 1, "size": {"name": "M", "number": 46}}

    record(invalid_row(1, payload=payload))
    record(invalid_row(1, payload={"size": {"number": 46, "name": "M"}, "nmId": 1}))

    assert kept(engine) == [(SOURCE, "order-1", 2)]


@pytest.mark.parametrize("other", [{"reason": "no number"}, {"payload": {}}, {"external_id": None}], ids=str)
def test_what_differs_in_anything_is_another(sqlite_engine, other):
    with transaction(sqlite_engine) as session:
        InvalidRows(session, SOURCE).record([invalid_row(1), invalid_row(1, **other)], NOON)

    assert [times for *_, times in kept(sqlite_engine)] == [1, 1]


@on_sqlite
def test_each_source_keeps_its_own(engine, record, resolve):
    record(invalid_row(1))
    record(invalid_row(1), source="ozon.orders")

    resolve("order-1")

    assert kept(engine) == [("ozon.orders", "order-1", 1)]


def test_what_was_read_well_is_forgotten_whatever_was_wrong_with_it(engine, record, resolve):
    record(
        invalid_row(1),
        invalid_row(1, reason="no number"),
        invalid_row(2),
        invalid_row(3),
        invalid_row(4, external_id=None),
    )

    resolve("order-1", "order-3", "order-9")
    resolve()

    assert kept(engine) == [(SOURCE, "order-2", 1), (SOURCE, None, 1)]


def test_of_too_many_the_oldest_go_and_only_of_this_source(engine, record, monkeypatch):
    monkeypatch.setattr(invalid_rows, "MAX_ROWS_PER_STREAM", 3)
    record(*(invalid_row(number) for number in range(3)), source="ozon.orders")

    record(*(invalid_row(number) for number in range(2, 5)))
    record(invalid_row(9), now=LATER)

    assert [name for source, name, _ in kept(engine) if source == SOURCE] == ["order-3", "order-4", "order-9"]
    assert len(kept(engine)) == 6


@on_sqlite
def test_nothing_is_kept_of_nothing(engine, record):
    assert plans_of(engine, record) == []
    assert kept(engine) == []


def test_what_databases_do_not_take_is_kept_without_it_and_is_still_the_same(engine, record):
    bad = invalid_row(
        1,
        external_id="a\x00\ud800" * 60,
        reason="x\x00" * 400,
        payload={"n": float("nan"), "t": "\x00", "price": Decimal("1.50"), "large": 2**70, "when": NOON},
    )

    record(bad)
    record(bad, now=MUCH_LATER)

    [row] = rows_of(engine, InvalidRow)
    assert (len(row.external_id), len(row.reason), row.times) == (100, 500, 2)
    assert "\x00" not in row.external_id + row.reason
    assert row.payload == {
        "n": "nan",
        "t": "\ufffd",
        "price": "1.50",
        "large": str(2**70),
        "when": "2025-10-02 12:00:00+00:00",
    }
