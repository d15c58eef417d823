import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from telemetry.database import transaction
from telemetry.jobs.store.running_runs import MAX_ROWS_PER_STATEMENT, LostRun, RunningRuns
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow
from tests.support.job_runs import ended, run_id, started

LONG_AGO = datetime(2025, 10, 2, tzinfo=UTC)
RECENT = timedelta(minutes=5)


@pytest.fixture
def store(engine):
    return JobRunRepository(engine)


@pytest.fixture
def running_runs(engine):
    return RunningRuns(engine)


@pytest.fixture
def make_stale(engine):
    """Set the last heartbeat of these runs."""

    def set_heartbeat(*numbers, since=LONG_AGO):
        with transaction(engine) as session:
            ids = [run_id(number) for number in numbers]
            session.execute(update(JobRunRow).where(JobRunRow.run_id.in_(ids)).values(heartbeat_at=since))

    return set_heartbeat


def rows(store):
    return {int(row.run_id, 16): row for row in store.page(limit=1000)}


def outcomes(store):
    return {number: row.outcome for number, row in rows(store).items()}


def test_the_clock_is_the_databases(running_runs):
    assert abs(running_runs.now() - datetime.now(UTC)) < RECENT


def test_a_run_is_silent_until_it_gives_a_sign_of_life(store, running_runs, make_stale):
    store.write([started(1), started(2), started(3), ended(4)])
    make_stale(1, 2, 4)

    assert sorted(running_runs.stale(LONG_AGO + RECENT)) == [run_id(1), run_id(2)]
    running_runs.heartbeat([run_id(1), run_id(4), run_id(99)])

    assert running_runs.stale(LONG_AGO + RECENT) == [run_id(2)]
    assert rows(store)[4].heartbeat_at == LONG_AGO
    assert outcomes(store) == {1: None, 2: None, 3: None, 4: "success"}


def test_a_run_that_is_lost_is_a_failure_that_says_whose_it_was_and_has_no_duration(store, running_runs):
    store.write([started(1), ended(2)])

    assert running_runs.mark_lost([run_id(1), run_id(2)]) == [LostRun(run_id(1), "sync", "host:1")]

    row = rows(store)[1]
    assert (row.status, row.outcome, row.duration_seconds) == ("failed", "lost", None)
    assert row.error_message == "Its process (host:1) ended without finishing it."
    assert abs(row.finished_at - datetime.now(UTC)) < RECENT
    assert rows(store)[2].outcome == "success"


def test_a_run_is_lost_once_however_often_somebody_says_so(store, running_runs):
    store.write([started(1)])

    assert [len(running_runs.mark_lost([run_id(1)])) for _ in range(3)] == [1, 0, 0]


def test_of_several_that_say_so_at_once_one_is_told(store, engine):
    store.write([started(number) for number in range(50)])
    ids = [run_id(number) for number in range(50)]
    marked, barrier = [], threading.Barrier(4)

    def mark_lost():
        barrier.wait(30)
        marked.extend(lost.run_id for lost in RunningRuns(engine).mark_lost(ids))

    threads = [threading.Thread(target=mark_lost) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(marked) == ids


def test_a_run_that_has_spoken_meanwhile_is_not_closed(store, running_runs, make_stale):
    store.write([started(1), started(2)])
    make_stale(1)

    assert [lost.run_id for lost in running_runs.mark_lost([run_id(1), run_id(2)], LONG_AGO + RECENT)] == [run_id(1)]


def test_more_runs_than_go_into_one_statement_are_all_reached(store, running_runs):
    number = MAX_ROWS_PER_STATEMENT + 3
    store.write([started(each) for each in range(number)])
    ids = [run_id(each) for each in range(number)]

    running_runs.heartbeat(ids)

    assert len(running_runs.mark_lost(ids)) == number


def test_a_run_that_was_taken_for_lost_and_speaks_again_runs_again(store, running_runs):
    store.write([started(1), ended(2, "error")])
    running_runs.mark_lost([run_id(1)])

    running_runs.heartbeat([run_id(1), run_id(2)])

    assert [(row.status, row.outcome, row.finished_at, row.error_message) for row in store.page(status="running")] == [
        ("running", None, None, None)
    ]
    assert outcomes(store)[2] == "error"


def test_a_run_that_ends_after_it_was_taken_for_lost_corrects_its_row(store, running_runs):
    store.write([started(1)])
    running_runs.mark_lost([run_id(1)])

    store.write([ended(1)])

    row = rows(store)[1]
    assert (row.status, row.outcome, row.duration_seconds, row.error_message) == ("success", "success", 1.5, None)


def test_a_row_that_somebody_writes_just_now_keeps_nobody_waiting_on_postgresql(postgres_engine):
    running_runs = RunningRuns(postgres_engine)
    JobRunRepository(postgres_engine).write([started(1), started(2)])
    with Session(postgres_engine) as other, other.begin():
        other.execute(update(JobRunRow).where(JobRunRow.run_id == run_id(1)).values(worker="another"))

        running_runs.heartbeat([run_id(1), run_id(2)])
        assert [lost.run_id for lost in running_runs.mark_lost([run_id(1), run_id(2)])] == [run_id(2)]


def test_what_the_table_lacks_is_known(store, running_runs):
    store.write([started(1), ended(2), started(3)])
    running_runs.mark_lost([run_id(3)])

    assert store.missing([started(1), ended(1), started(2), ended(2), started(3), ended(3), started(4), ended(4)]) == [
        ended(1),
        ended(3),
        started(4),
        ended(4),
    ]
    assert store.missing([]) == []


def test_a_heartbeat_in_the_future_is_from_before_the_clock_was_set_back(store, running_runs, make_stale):
    store.write([started(1), started(2)])
    make_stale(1, since=datetime.now(UTC) + timedelta(hours=1))
    running_runs.heartbeat([run_id(2)])

    assert running_runs.stale(LONG_AGO) == [run_id(1)]
    assert [lost.run_id for lost in running_runs.mark_lost([run_id(1), run_id(2)], LONG_AGO)] == [run_id(1)]
