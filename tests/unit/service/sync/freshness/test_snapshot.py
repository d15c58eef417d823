from datetime import timedelta

import pytest

from service.database.tables import AdviceRow, RateLimitRow, ReviewRow, SyncPositionRow
from service.integrations.marketplace import Order
from service.orders.repository import OrderRepository
from service.reviews.repository import ReviewRepository
from service.settings import Settings
from service.sync.freshness.credentials import store_ozon_expiry
from service.sync.freshness.snapshot import (
    DraftingState,
    LastRun,
    SourceReading,
    WaitingReviews,
    read_rate_limits,
    read_readings,
    read_snapshot,
)
from service.sync.ingestion import Ingestion, SyncReport
from telemetry.database import transaction
from telemetry.jobs import JobRunRow
from tests.support.fakes import MINUTE, NOON, UNREACHABLE, FakeSource, a_review, an_order, answered, on_sqlite

DAY = timedelta(days=1)
KEYS = {"ozon_client_id": "1", "ozon_api_key": "key-of-the-tests"}


def snapshot_of(engine, now=NOON, **settings):
    with transaction(engine) as session:
        return read_snapshot(session, Settings(**settings), now)


def read(engine, source, now=NOON):
    ingestion: Ingestion[Order] = Ingestion(engine, "wb.orders", lambda *_counted: None, lambda: now)
    ingestion.read(source, lambda session, rows: OrderRepository(session).save(rows, now), SyncReport())


def reading_of(engine):
    with transaction(engine) as session:
        return read_readings(session)["wb.orders"]


def a_run(number, job_name, details, *, finished=NOON):
    times = {"started_at": NOON, "finished_at": finished}
    ids = {"run_id": f"run-{number}", "trace_id": "0" * 32, "span_id": "0" * 16, "worker": "tests"}
    return JobRunRow(job_name=job_name, status="success", details=details, **times, **ids)


@on_sqlite
def test_the_completed_reading_counts_also_while_another_one_goes_on_or_fails(engine):
    read(engine, FakeSource([[an_order()]]))
    with pytest.raises(type(UNREACHABLE)):
        read(engine, FakeSource([[an_order()], [an_order(2)], UNREACHABLE]), NOON + DAY)

    reading = reading_of(engine)

    assert (reading.completed_at, reading.began_at) == (NOON, NOON + DAY)
    assert reading.age(NOON + DAY) == DAY
    assert (reading.last_error, reading.last_error_at) == (str(UNREACHABLE), NOON + DAY)


def test_a_reading_is_completed_by_the_databases_clock(engine):
    read(engine, FakeSource([[an_order()]]))

    completed = reading_of(engine).completed_at

    assert (completed == NOON) is (engine.dialect.name == "sqlite")


@on_sqlite
def test_the_text_of_an_unexpected_error_is_not_kept(engine):
    with pytest.raises(KeyError):
        read(engine, FakeSource([[an_order()], KeyError("Ivan Petrov")]))

    assert reading_of(engine).last_error == "KeyError"


@on_sqlite
def test_the_service_that_stops_is_no_error_of_a_source(engine):
    class Stopping(BaseException):
        pass

    class StoppedSource(FakeSource):
        def pages(self, position):
            raise Stopping
            yield

    with pytest.raises(Stopping):
        read(engine, StoppedSource([[]]))

    assert reading_of(engine).last_error is None


@pytest.mark.parametrize(
    ("began", "completed", "age"),
    [
        (None, None, None),
        (NOON - DAY, None, DAY),
        (NOON - MINUTE, NOON - 5 * MINUTE, 5 * MINUTE),
        (NOON - 9 * MINUTE, NOON - MINUTE, MINUTE),
        (NOON, NOON + timedelta(seconds=30), timedelta(0)),
        (NOON - MINUTE, NOON + 365 * DAY, MINUTE),
        (NOON + 365 * DAY, NOON + 365 * DAY, None),
    ],
    ids=["never", "never completed", "another goes on", "done", "a little ahead", "clock set back", "both ahead"],
)
def test_the_age_is_that_of_the_newest_completed_reading(began, completed, age):
    assert SourceReading({}, began, completed).age(NOON) == age


def test_what_waits_is_counted_by_marketplace_and_rating(engine):
    reviews = [a_review(1, rating=1), a_review(2, rating=1), a_review(3, marketplace="ozon"), answered(4)]
    with transaction(engine) as session:
        ReviewRepository(session).save(reviews, NOON)
        ids = {row.external_id: row.id for row in session.query(ReviewRow)}
        for number, outcome in ((1, "drafted"), (2, "incomplete"), (4, "refused")):
            session.add(
                AdviceRow(
                    review_id=ids[f"review-{number}"], created_at=NOON + number * MINUTE, outcome=outcome, model="m"
                )
            )

    found = snapshot_of(engine, NOON + MINUTE)

    assert found.waiting == {
        ("wb", 1): WaitingReviews(2, reviews[0].created_at),
        ("ozon", 5): WaitingReviews(1, reviews[2].created_at),
    }
    assert found.without_draft == 2
    assert found.drafting == DraftingState(due=3, newest_draft=NOON + MINUTE, failing=2)


@on_sqlite
def test_an_empty_database_has_nothing(engine):
    found = snapshot_of(engine)

    assert (found.readings, found.waiting, found.without_draft, found.last_runs, found.expiries) == ({}, {}, 0, {}, {})
    assert found.drafting == DraftingState()


@on_sqlite
def test_rows_are_those_of_the_newest_run_that_ended(engine):
    whole = {"new": 1, "changed": 2, "unchanged": 3, "invalid": 4}
    with transaction(engine) as session:
        session.add_all(
            [
                a_run(1, "sync_wb_orders", {"invalid": 50}),
                a_run(2, "sync_wb_orders", whole),
                a_run(3, "sync_wb_orders", {}, finished=None),
                a_run(4, "sync_wb_reviews", {"new": "many", "invalid": None}),
            ]
        )

    assert snapshot_of(engine).last_runs == {"wb.orders": LastRun(10, 4), "wb.reviews": LastRun(0, 0)}


def test_of_several_limits_of_a_service_the_latest_counts_and_one_of_another_clock_does_not(engine):
    now = NOON.timestamp()
    blocked = {"wb:a": now + 60, "wb:b": now + 600, "ozon:a": now + 3e9, "openai:a": 0.0, "telegram:a": now - 5}
    with transaction(engine) as session:
        session.add_all(RateLimitRow(key=key, full_at=now, blocked_until=until) for key, until in blocked.items())

    with transaction(engine) as session:
        found = read_rate_limits(session, NOON)

    assert found == {"wb": NOON + 10 * MINUTE, "telegram": NOON - timedelta(seconds=5)}


def test_the_expiry_that_ozon_told_holds_for_the_key_that_it_was_asked_with(engine):
    for told in (NOON + DAY, NOON + 2 * DAY):
        with transaction(engine) as session:
            store_ozon_expiry(session, Settings(**KEYS), told, NOON)

    assert snapshot_of(engine, **KEYS).expiries == {"ozon": NOON + 2 * DAY}
    assert snapshot_of(engine, **KEYS | {"ozon_api_key": "another-key"}).expiries == {}
    assert snapshot_of(engine).expiries == {}


def test_positions_of_a_database_before_this_version_are_known(engine):
    with transaction(engine) as session:
        session.add(SyncPositionRow(name="wb.orders", position={}, updated_at=NOON))

    assert snapshot_of(engine).readings["wb.orders"].age(NOON) is None
