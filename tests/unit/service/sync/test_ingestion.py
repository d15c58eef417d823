import threading
import tracemalloc
import weakref
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from service.database.tables import InvalidRow, OrderRow, SyncPositionRow
from service.database.upsert import Saved
from service.integrations.http.errors import RateLimited
from service.integrations.marketplace import Order, Page
from service.orders.repository import OrderRepository
from service.sync import ingestion
from service.sync.ingestion import BATCH_ROWS, Ingestion, SyncReport
from service.sync.source_progress import StuckPosition
from telemetry.database import create_engine
from tests.support.fakes import (
    MINUTE,
    NOON,
    UNREACHABLE,
    FakeSource,
    TickingClock,
    an_item,
    an_order,
    invalid_row,
    on_sqlite,
    rows_of,
)

FEW = 20


@pytest.fixture(autouse=True)
def _few_rows_are_a_batch(monkeypatch):
    monkeypatch.setattr(ingestion, "BATCH_ROWS", FEW)


def save(session, rows):
    return OrderRepository(session).save(rows, NOON)


class Reading:
    """Reads a source into a database, and knows what was told of it."""

    def __init__(self, engine, write=save, now=None):
        self.counted, self.report = [], SyncReport()
        self._write = write
        self._ingestion = Ingestion(
            engine, "wb.orders", lambda *about: self.counted.append(about), now or TickingClock()
        )

    def read(self, source):
        return self._ingestion.read(source, self._write, self.report)


@pytest.fixture
def reading(engine):
    return Reading(engine)


def numbers(engine):
    return [int(row.external_id.removeprefix("order-")) for row in rows_of(engine, OrderRow)]


def position(engine):
    [row] = rows_of(engine, SyncPositionRow)
    return row


def orders(*range_):
    return [an_order(number) for number in range(*range_)]


@on_sqlite
def test_all_pages_are_read_and_it_is_said_what_became_of_them(engine, reading):
    reading.read(FakeSource([orders(3), [*orders(3, 5), invalid_row(9)]]))

    assert numbers(engine) == [0, 1, 2, 3, 4]
    assert reading.report.as_metadata() == {"pages": 2, "new": 5, "changed": 0, "unchanged": 0, "invalid": 1, "odd": 0}
    assert reading.counted == [("new", 3), ("new", 2), ("invalid", 1)]


@on_sqlite
def test_a_finished_source_is_read_on_from_where_it_ended(engine, reading):
    shelf = FakeSource([orders(3)])
    began = reading.read(shelf)

    shelf.pages_of.append(orders(3, 4))
    again = reading.read(shelf)

    assert shelf.positions == [{}, {"page": 1}]
    assert numbers(engine) == [0, 1, 2, 3]
    assert again > began
    assert position(engine).position == {"page": 2}
    assert position(engine).began_at == again < position(engine).finished_at


@on_sqlite
def test_reading_the_same_again_changes_nothing_and_says_so(engine):
    pages = [[*orders(3), an_order(7, status="cancelled")]]
    Reading(engine).read(FakeSource(pages, begins_anew=True))
    before = [(row.external_id, row.status, row.updated_at) for row in rows_of(engine, OrderRow)]

    again = Reading(engine)
    again.read(FakeSource(pages, begins_anew=True))

    assert [(row.external_id, row.status, row.updated_at) for row in rows_of(engine, OrderRow)] == before
    assert again.counted == [("unchanged", 4)]


@on_sqlite
def test_a_source_without_a_page_has_been_read_to_its_end(engine, reading):
    began = reading.read(FakeSource([]))

    assert (position(engine).position, position(engine).began_at) == ({}, began)
    assert position(engine).finished_at > began
    assert reading.report == SyncReport()


def test_what_was_read_until_a_cut_stays_and_the_next_reading_goes_on_behind_it(engine, reading):
    shelf = FakeSource([orders(3), orders(3, 6), UNREACHABLE])
    with pytest.raises(type(UNREACHABLE)):
        reading.read(shelf)
    assert (numbers(engine), reading.report.pages) == ([0, 1, 2, 3, 4, 5], 2)
    assert (position(engine).position, position(engine).finished_at) == ({"page": 2}, None)
    began = position(engine).began_at

    shelf.pages_of[2] = [an_order(0, status="cancelled", as_of=NOON + MINUTE), *orders(6, 8)]
    later = Reading(engine, now=lambda: NOON + 60 * MINUTE)

    assert later.read(shelf) == began
    assert shelf.positions == [{}, {"page": 2}]
    assert sorted(numbers(engine)) == list(range(8))
    assert rows_of(engine, OrderRow)[0].status == "cancelled"
    assert later.report.as_metadata() == {"pages": 1, "new": 2, "changed": 1, "unchanged": 0, "invalid": 0, "odd": 0}
    assert position(engine).finished_at == NOON + 60 * MINUTE


def test_a_row_of_which_a_part_is_odd_is_stored_and_noted_and_counted_apart_until_it_is_read_whole(engine, reading):
    shelf = FakeSource([[an_order(1, odd=invalid_row(1, reason="kept, but not all of it")), an_order(2)]])
    for _ in range(2):
        reading.read(shelf)
        shelf.pages_of.append(shelf.pages_of[0])

    [kept] = rows_of(engine, InvalidRow)
    assert (kept.external_id, kept.reason, kept.times) == ("order-1", "kept, but not all of it", 2)
    assert reading.counted[:2] == [("new", 2), ("odd", 1)]
    assert numbers(engine) == [1, 2]

    shelf.pages_of.append([an_order(1, as_of=NOON + MINUTE)])
    reading.read(shelf)

    assert rows_of(engine, InvalidRow) == []


@on_sqlite
def test_a_page_that_is_cut_in_the_middle_is_read_again_and_each_row_is_there_once(engine, reading):
    def cut():
        yield from orders(FEW + 10)
        raise UNREACHABLE

    with pytest.raises(type(UNREACHABLE)):
        reading.read(FakeSource([cut()]))
    assert len(numbers(engine)) == FEW
    assert position(engine).position == {}

    again = Reading(engine)
    again.read(FakeSource([orders(FEW + 10)]))

    assert sorted(numbers(engine)) == list(range(FEW + 10))
    assert again.counted == [("unchanged", FEW), ("new", 10)]


def test_what_is_not_committed_is_not_counted_and_is_read_again(engine):
    def fail(session, rows):
        saved = save(session, rows)
        if rows[0].external_id == f"order-{FEW}":
            raise OperationalError("INSERT", {}, Exception("the server is gone"))
        return saved

    failing = Reading(engine, fail)
    with pytest.raises(OperationalError):
        failing.read(FakeSource([orders(FEW + 10)]))
    assert failing.counted == [("new", FEW)]
    assert failing.report.new == len(numbers(engine)) == FEW

    again = Reading(engine)
    again.read(FakeSource([orders(FEW + 10)]))

    assert sorted(numbers(engine)) == list(range(FEW + 10))
    assert again.counted == [("unchanged", FEW), ("new", 10)]
    assert rows_of(engine, InvalidRow) == []


@on_sqlite
def test_rows_are_asked_for_batch_by_batch_and_the_position_when_the_last_one_has_come(engine, reading):
    """As from a file of any length; and nothing is asked for while a transaction is open."""
    open_transactions = []

    def stream(page):
        for number in range(2 * FEW):
            if number % FEW == 0:
                batches.append((number, len(numbers(engine)), engine.pool.checkedout()))
            yield an_order(number)
        page.position = {"since": "the last row"}

    class Stream:
        name = "wb.orders"

        def pages(self, _position):
            open_transactions.append(engine.pool.checkedout())
            page = Page((), {"since": "too early"})
            page.rows = stream(page)
            yield page
            open_transactions.append(engine.pool.checkedout())

    batches = []
    reading.read(Stream())

    assert batches == [(0, 0, 0), (FEW, FEW, 0)]
    assert open_transactions == [0, 0]
    assert position(engine).position == {"since": "the last row"}


@on_sqlite
def test_each_batch_is_a_transaction_of_its_own(engine, reading):
    commits = []
    event.listen(engine, "commit", lambda _connection: commits.append(len(reading.counted)))

    reading.read(FakeSource([orders(2 * FEW + 1)]))

    # What begins, three batches, each told of afterwards, the position, and the end.
    assert commits == [0, 0, 1, 2, 3, 3]


def test_no_more_than_a_batch_is_alive_at_a_time(sqlite_engine):
    class Watched(Order):
        """Unlike what it stands for, it can be watched."""

    def watched():
        for number in range(10 * FEW):
            made.append(weakref.ref(order := Watched(**fields(an_order(number)))))
            alive.append(sum(each() is not None for each in made))
            yield order

    made, alive = [], []
    Reading(sqlite_engine).read(FakeSource([watched()]))

    assert len(numbers(sqlite_engine)) == 10 * FEW
    assert max(alive) == FEW


@pytest.mark.e2e
def test_memory_does_not_grow_with_the_rows(sqlite_engine, monkeypatch):
    def keep_only_the_last(session, rows):
        return save(session, rows[-1:])

    monkeypatch.setattr(ingestion, "BATCH_ROWS", BATCH_ROWS)
    reading, known = Reading(sqlite_engine, keep_only_the_last), fields(an_order(1))
    reading.read(FakeSource([(Order(**known) for _ in range(2 * BATCH_ROWS))], name="warm"))

    tracemalloc.start()
    reading.read(FakeSource([(Order(**known) for _ in range(30_000)) for _page in range(2)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert reading.report.pages == 3
    assert peak < 2_000_000  # a page of them is more than 3 MB


def fields(order):
    return {name: getattr(order, name) for name in order.__slots__}


def test_a_row_that_cannot_be_read_is_kept_aside_and_the_rest_goes_on(engine, reading):
    reading.read(FakeSource([[an_order(1), invalid_row(2, payload={"date": None}), an_order(3)]]))

    [kept] = rows_of(engine, InvalidRow)
    assert numbers(engine) == [1, 3]
    assert (kept.source, kept.external_id, kept.reason) == ("wb.orders", "order-2", "date is missing")
    assert (kept.payload, kept.times) == ({"date": None}, 1)


def test_an_unreadable_row_is_kept_once_however_often_it_is_read(engine):
    clock = TickingClock()
    shelf = FakeSource(
        [[invalid_row(1), an_order(2)], [invalid_row(1), invalid_row(3, external_id=None)]], begins_anew=True
    )

    for _ in range(3):
        Reading(engine, now=clock).read(shelf)

    [one, nameless] = rows_of(engine, InvalidRow)
    assert [(row.external_id, row.times) for row in (one, nameless)] == [("order-1", 6), (None, 3)]
    assert one.first_seen_at < nameless.first_seen_at < one.last_seen_at == nameless.last_seen_at


@on_sqlite
def test_an_unreadable_row_is_forgotten_when_it_is_read_well(engine):
    Reading(engine).read(FakeSource([[invalid_row(1), invalid_row(2)]]))

    Reading(engine).read(FakeSource([[an_order(1)]], name="another list of the same things"))

    assert [row.external_id for row in rows_of(engine, InvalidRow)] == ["order-2"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"items": (an_item(quantity=2**70),)},
        {"order_number": "half of a pair: \ud800"},
        {"ordered_at": datetime(2025, 10, 2, 12)},  # noqa: DTZ001  # that is what is wrong with it
        {"status": None},
    ],
    ids=["too large", "no text", "no moment", "nothing"],
)
def test_a_row_that_the_database_refuses_is_kept_aside_and_the_rest_goes_on(engine, reading, spoilt):
    bad = an_order(7, **spoilt)

    reading.read(FakeSource([[*orders(7), bad, *orders(8, 20)]]))

    [kept] = rows_of(engine, InvalidRow)
    assert sorted(numbers(engine)) == [*range(7), *range(8, 20)]
    assert kept.external_id == "order-7"
    assert kept.reason.startswith("the database refuses it: ")
    assert kept.payload["scheme"] == "fbo"
    assert reading.report.as_metadata() == {"pages": 1, "new": 19, "changed": 0, "unchanged": 0, "invalid": 1, "odd": 0}
    assert position(engine).position == {"page": 1}


@on_sqlite
def test_an_error_of_the_code_is_no_fault_of_the_rows(engine):
    def broken(_session, _rows):
        raise TypeError("a mistake")

    with pytest.raises(TypeError, match="a mistake"):
        Reading(engine, broken).read(FakeSource([orders(2)]))

    assert rows_of(engine, InvalidRow) == []


@on_sqlite
def test_what_is_refused_even_aside_is_an_error(engine):
    def refuse(_session, _rows):
        raise OverflowError("never")

    with pytest.raises(OverflowError, match="never"):
        Reading(engine, refuse).read(FakeSource([orders(1)]))


def test_two_that_read_a_source_for_the_first_time_at_once_both_read_it(engine):
    together, failed = threading.Barrier(2), []

    def meet(session, rows):
        together.wait(30)
        return save(session, rows)

    def read():
        own = create_engine(engine.url)
        try:
            Reading(own, meet).read(FakeSource([orders(20)]))
        except Exception as error:
            failed.append(error)
        own.dispose()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(30)

    assert failed == []
    assert sorted(numbers(engine)) == list(range(20))
    assert position(engine).finished_at is not None


def test_a_report_adds_up():
    report = SyncReport(pages=1, new=1)

    report.add(Saved(1, 2, 3), [invalid_row(number) for number in range(4)], odd=5)

    assert report.as_metadata() == {"pages": 1, "new": 2, "changed": 2, "unchanged": 3, "invalid": 4, "odd": 5}


class Standing(FakeSource):
    """Has rows, and a position that does not move."""

    def pages(self, position):
        for rows in self.pages_of:
            if isinstance(rows, Exception):
                raise rows
            yield Page(iter(rows), {"page": 1})


class Days:
    """A clock by hand, in days after noon."""

    days = 0.0

    def __call__(self):
        return NOON + timedelta(days=self.days)


@pytest.fixture
def days():
    return Days()


def fails_on(engine, days, rows_on, source=Standing):
    """The days on which a reading fails because its position stands still."""
    failed, paused = [], RateLimited("wb", NOON + timedelta(days=100))
    for day in range(6):
        days.days = day
        pages = [paused if rows == "pause" else rows for rows in rows_on(day)]
        with suppress(RateLimited):
            failed += [day] if is_stuck(Reading(engine, now=days), source(pages)) else []
    return failed


def is_stuck(reading, source):
    try:
        reading.read(source)
    except StuckPosition as error:
        return "has not moved since 2025-10-0" in str(error)
    return False


@on_sqlite
@pytest.mark.parametrize(
    ("rows_on", "expected"),
    [
        (
            lambda day: [orders(10 * day, 10 * day + 2)],
            [4, 5],
        ),  # new rows each day; on the first one the position moved
        (lambda day: [[invalid_row(1), invalid_row(2)]], [4, 5]),
        (lambda day: [orders(2), "pause"], [4, 5]),  # a reading that never comes to its end
        (lambda day: [orders(2)], []),  # the rows of the position itself, again and again
        (lambda day: [[]], []),
        (lambda day: ["pause"], []),  # such a run is skipped
        (lambda day: [orders(10 * day, 10 * day + 2)] if day in {1, 4} else [orders(2)], [4]),
        (lambda day: [[*orders(2), invalid_row(9)]], []),  # its share says enough of it
    ],
)
def test_a_position_that_stands_still_for_days_though_there_is_more_is_a_failure(engine, days, rows_on, expected):
    assert fails_on(engine, days, rows_on) == expected


@on_sqlite
def test_a_list_that_always_begins_anew_has_no_position_that_could_stand_still(engine, days):
    anew = lambda pages: FakeSource(pages, begins_anew=True)  # noqa: E731
    everything = fails_on(engine, days, lambda day: [orders(10 * day, 10 * day + 2)], anew)
    nothing = fails_on(engine, days, lambda day: [[invalid_row(1)]], anew)

    assert (everything, nothing) == ([], [3, 4, 5])


@on_sqlite
def test_a_position_that_moves_again_has_stood_still_no_longer(engine, days):
    reading = Reading(engine, now=days)
    for day, place in enumerate((1, 1, 2, 2, 2)):
        days.days = day
        source = FakeSource([])
        source.pages = lambda _position, place=place, day=day: [
            Page(iter(orders(9 * day, 9 * day + 1)), {"page": place})
        ]
        reading.report.begin_source()
        reading.read(source)

    assert position(engine).stalled_since == NOON + timedelta(days=3)
