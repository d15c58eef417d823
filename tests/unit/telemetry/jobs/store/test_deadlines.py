"""Deadlines by the clock of the database, when that of the process is another one or is set."""

from datetime import UTC, datetime, timedelta

import pytest

from telemetry.jobs.store.running_runs import RunningRuns
from telemetry.jobs.store.runs import JobRunRepository
from tests.support.job_runs import ended, run_id, started

TEN_MINUTES, SECOND, MINUTE = timedelta(minutes=10), timedelta(seconds=1), timedelta(minutes=1)


def begun(number, at, **changes):
    return started(number, started_at=at, heartbeat_at=at, deadline_at=at + TEN_MINUTES, **changes)


def deadline(store):
    [row] = store.page()
    return row.deadline_at


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-20_000)])
def test_on_postgresql_a_run_has_its_time_by_the_databases_clock(postgres_engine, wrong_by):
    store, now = JobRunRepository(postgres_engine), datetime.now(UTC)

    store.write([begun(1, now + wrong_by)])

    assert abs(deadline(store) - now - TEN_MINUTES) < MINUTE


def test_the_deadline_of_a_run_that_has_just_begun_is_its_start_and_its_longest_time(engine):
    store, now = JobRunRepository(engine), datetime.now(UTC)

    store.write([begun(1, now)])

    assert abs(deadline(store) - now - TEN_MINUTES) < SECOND / 10


def test_a_run_that_has_ended_or_is_replayed_keeps_its_deadline(engine):
    store, long_ago = JobRunRepository(engine), datetime(2025, 10, 2, tzinfo=UTC)

    store.write([ended(1, deadline_at=long_ago)])
    store.replay([begun(2, long_ago)])

    assert [row.deadline_at for row in store.page()] == [long_ago + TEN_MINUTES, long_ago]


def test_a_run_without_a_deadline_has_none(engine):
    store = JobRunRepository(engine)
    store.write([started(1)])
    RunningRuns(engine).heartbeat([run_id(1)], {})

    assert deadline(store) is None


@pytest.mark.parametrize("left", [timedelta(minutes=5), timedelta(minutes=-5), timedelta(hours=3)])
def test_a_heartbeat_corrects_the_deadline(engine, left):
    store, now = JobRunRepository(engine), datetime.now(UTC)
    store.write([begun(1, now)])

    RunningRuns(engine).heartbeat([run_id(1)], {run_id(1): left})

    assert abs(deadline(store) - now - left) < MINUTE


def test_a_heartbeat_leaves_a_deadline_that_is_right_and_those_of_others_as_they_are(engine):
    store, now = JobRunRepository(engine), datetime.now(UTC)
    store.write([begun(1, now), begun(2, now)])
    before = [row.deadline_at for row in store.page()]

    RunningRuns(engine).heartbeat([run_id(1), run_id(2)], {run_id(1): TEN_MINUTES})

    assert [row.deadline_at for row in store.page()] == before
