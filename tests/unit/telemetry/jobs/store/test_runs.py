from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.jobs.store.runs import JobRunRepository

pytestmark = pytest.mark.long_on_postgresql

NOON = datetime(2025, 10, 2, 12, 0, 0, 123456, tzinfo=UTC)


def started(n, job_name="sync", **changes):
    starts = NOON + timedelta(minutes=n)
    run = JobRun(
        run_id=f"{n:048x}",
        job_name=job_name,
        status="running",
        started_at=starts,
        trace_id=f"{n:032x}",
        span_id=f"{n:016x}",
        worker="host:1",
        heartbeat_at=starts,
    )
    return replace(run, **changes)


def ended(n, job_name="sync", outcome="success", **changes):
    run = started(n, job_name)
    finished = run.started_at + timedelta(seconds=1.5)
    status = "success" if outcome == "success" else "failed"
    run = replace(
        run, status=status, outcome=outcome, finished_at=finished, heartbeat_at=finished, duration_seconds=1.5
    )
    return replace(run, **changes)


@pytest.fixture
def store(engine):
    return JobRunRepository(engine)


def ids(rows):
    return [int(row.run_id, 16) for row in rows]


def test_a_run_comes_back_as_it_was_written(store):
    run = ended(
        1,
        outcome="timeout",
        error_message="Timeout connecting to WB API",
        metadata={"source": "WB", "n": 3, "nested": [1, {"a": None}], "имя": "№"},
        scheduled_for=NOON - timedelta(seconds=3),
    )

    store.write([run])
    row = store.latest()["sync"]

    for column in [
        "run_id",
        "job_name",
        "status",
        "outcome",
        "started_at",
        "finished_at",
        "duration_seconds",
        "error_message",
        "trace_id",
        "span_id",
        "worker",
        "scheduled_for",
    ]:
        assert getattr(row, column) == getattr(run, column), column
    assert row.details == run.metadata
    assert row.started_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "batches",
    [
        [[started(1)], [ended(1)]],
        [[started(1), ended(1)]],
        [[ended(1)], [started(1)]],
        [[ended(1), started(1)]],
        [[started(1), ended(1)], [started(1), ended(1)], [ended(1)], [started(1)]],
        [[ended(1)]],
    ],
)
def test_a_start_never_overwrites_an_end_however_often_they_come(store, batches):
    for batch in batches:
        store.write(batch)

    assert [(row.status, row.duration_seconds) for row in store.page()] == [("success", 1.5)]


def test_a_run_was_alive_when_it_was_written_however_late_that_is(store):
    store.write([started(1)])

    assert abs(datetime.now(UTC) - store.latest()["sync"].heartbeat_at) < timedelta(minutes=5)


def test_an_end_overwrites_one_that_was_only_presumed(store):
    store.write([ended(1, outcome="lost", error_message="no heartbeat")])

    store.write([ended(1)])

    assert [(row.outcome, row.error_message) for row in store.page()] == [("success", None)]


def test_nothing_to_write_is_written_without_complaint(store):
    store.write([])

    assert store.page() == []


def test_pages_are_newest_first_and_go_on_where_the_last_one_ended(store):
    store.write([started(n) for n in range(25)])

    first = store.page(limit=10)
    second = store.page(limit=10, before=first[-1].id)
    third = store.page(limit=10, before=second[-1].id)

    assert [ids(page) for page in (first, second, third)] == [
        list(range(24, 14, -1)),
        list(range(14, 4, -1)),
        list(range(4, -1, -1)),
    ]


def test_a_run_that_ends_keeps_its_place(store):
    store.write([started(1), started(2)])

    store.write([ended(1)])

    assert ids(store.page()) == [2, 1]


def test_pages_can_be_of_one_job_and_of_one_status(store):
    store.write([ended(n, "wb" if n % 2 else "ozon", "success" if n % 3 else "error") for n in range(12)])

    assert ids(store.page(job_name="wb")) == [11, 9, 7, 5, 3, 1]
    assert ids(store.page(status="failed")) == [9, 6, 3, 0]
    assert ids(store.page(job_name="wb", status="failed", before=store.page()[0].id)) == [9, 3]
    assert store.page(job_name="unknown") == []


def test_each_jobs_latest_run_and_name_are_known(store):
    assert (store.names(), store.latest()) == ([], {})
    store.write([ended(1, "wb"), ended(2, "ozon"), started(3, "wb"), ended(4, "Ñandú"), ended(5, "a b")])

    assert store.names() == sorted(["wb", "ozon", "Ñandú", "a b"])
    assert {name: int(row.run_id, 16) for name, row in store.latest().items()} == {
        "wb": 3,
        "ozon": 2,
        "Ñandú": 4,
        "a b": 5,
    }
    assert store.latest()["wb"].status == "running"


def test_the_newest_run_that_has_not_ended_is_the_running_one(store):
    assert (store.running("sync"), store.running_since("sync")) == (None, None)
    store.write([started(1), started(2), ended(3), started(4, "other")])

    assert store.running("sync").worker == "host:1"
    assert ids([store.running("sync")]) == [2]
    assert store.running_since("sync") == NOON + timedelta(minutes=2)
    assert store.running_since("nobody") is None


def test_a_table_is_checked_without_a_row(store):
    store.write([ended(1)])

    store.check_write()
    store.check_write()

    assert ids(store.page()) == [1]


def test_one_run_can_be_forgotten(store):
    store.write([ended(1), ended(2)])

    assert store.delete_run(f"{1:048x}")
    assert not store.delete_run(f"{1:048x}")

    assert ids(store.page()) == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"job_name": None},
        {"job_name": "half \ud800"},
        {"started_at": NOON.replace(tzinfo=None)},
        {"metadata": {"n": object()}},
    ],
)
def test_a_run_that_cant_be_written_is_told_apart_from_a_database_that_is_gone(store, changes):
    with pytest.raises(UnwritableRunError):
        store.write([ended(1), ended(2, **changes)])

    assert store.page() == []


@pytest.mark.parametrize("changes", [{"error_message": "nul\x00"}, {"error_message": "x" * 501}])
def test_what_the_door_should_have_cleaned_is_refused_by_postgresql_and_taken_by_sqlite(store, engine, changes):
    refused = engine.dialect.name == "postgresql"

    with pytest.raises(UnwritableRunError) if refused else nullcontext():
        store.write([ended(1, **changes)])


def test_a_database_that_is_gone_or_has_no_table_yet_is_no_fault_of_the_runs(engine, tmp_path):
    gone = create_engine(f"sqlite:///{tmp_path}/missing/database.db")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE job_runs RENAME TO job_runs_elsewhere"))

    try:
        for store in (JobRunRepository(gone), JobRunRepository(engine)):
            with pytest.raises((OperationalError, ProgrammingError)):
                store.write([ended(1)])
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE job_runs_elsewhere RENAME TO job_runs"))


def test_a_poisoned_batch_loses_the_poison_only(store):
    dropped = []
    recorder = Recorder(store.write, on_dropped=lambda number, reason: dropped.append((number, reason)))

    for n in range(150):
        recorder.record(ended(n, job_name=None) if n in {40, 41, 149} else ended(n))

    assert recorder.shutdown(10)
    assert len(store.page(limit=1000)) == 147
    assert dropped == [(1, "unwritable")] * 3
