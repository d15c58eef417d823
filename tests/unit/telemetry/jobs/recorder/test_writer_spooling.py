"""The recorder with a spool: what it keeps where, and that its counts are right."""

import logging
import multiprocessing
import os
import threading
from datetime import timedelta

import pytest

from telemetry.jobs.recorder import queue
from telemetry.jobs.recorder.queue import RunQueue
from telemetry.jobs.recorder.queued_run import QueueBalance
from telemetry.jobs.recorder.writer import Recorder
from telemetry.jobs.run import UnwritableRunError
from tests.support.job_runs import ended, run_id, started
from tests.support.spools import ProcessSpool, orphaned_runs

SOON = 10.0
QUICK = (0.001, 0.01)


class Database:
    """Unavailable until `is_available` is set; then it keeps the runs, except those in `refused`."""

    def __init__(self):
        self.is_available = threading.Event()
        self.runs, self.refused = [], set()

    def write(self, runs):
        if not self.is_available.is_set():
            raise ConnectionError("the database is gone")
        if self.refused & {run.run_id for run in runs}:
            raise UnwritableRunError("refused")
        self.runs += runs


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def make(database, directory):
    made = []

    def make_recorder(limit=2**20, **options):
        options = {"spool": lambda: ProcessSpool(directory, limit), "retry_delays": QUICK, **options}
        made.append(Recorder(database.write, **options))
        return made[-1]

    yield make_recorder
    for recorder in made:
        recorder.shutdown(0)


def files(directory):
    return sorted(directory.iterdir()) if directory.exists() else []


def test_what_waits_while_the_database_is_away_is_there_afterwards_in_its_order(make, database, directory):
    recorder = make()
    runs = [run for number in range(300) for run in (started(number), ended(number))]
    for run in runs:
        recorder.record(run)

    database.is_available.set()

    assert recorder.flush(SOON)
    assert database.runs == runs
    assert recorder.balance() == QueueBalance(600, 600, 0, 0)
    recorder.shutdown(SOON)
    assert files(directory) == []


def test_more_runs_wait_than_fit_in_memory_when_there_is_a_disk(make, database):
    recorder = make(capacity=5)
    runs = [started(number) for number in range(200)]
    for run in runs:
        recorder.record(run)

    assert recorder.balance() == QueueBalance(200, 0, 0, 200)
    database.is_available.set()

    assert recorder.flush(SOON)
    assert database.runs == runs


def test_a_shutdown_with_the_database_away_leaves_the_runs_to_whoever_comes_next_and_drops_none(
    make, directory, caplog
):
    dropped = []
    recorder = make(on_dropped=lambda number, reason: dropped.append((number, reason)))
    runs = [started(1), ended(1), started(2)]
    for run in runs:
        recorder.record(run)

    assert not recorder.shutdown(0.01)

    assert orphaned_runs(directory) == runs
    assert dropped == []
    assert recorder.balance() == QueueBalance(3, 0, 0, 3)


def test_a_full_disk_is_said_once_and_counted_and_the_runs_are_written_all_the_same(
    make, database, monkeypatch, caplog
):
    recorder = make()
    monkeypatch.setattr("telemetry.jobs.recorder.spool.os.write", lambda *_: 0)
    for number in range(3):
        recorder.record(started(number))
    monkeypatch.undo()
    recorder.record(started(3))
    database.is_available.set()

    assert recorder.flush(SOON)

    assert [run.run_id for run in database.runs] == [run_id(number) for number in range(4)]
    assert recorder.unspooled == {"disk": 3}
    messages = [(record.levelno, record.getMessage()) for record in caplog.records if "disk" in record.getMessage()]
    assert messages == [
        (
            logging.ERROR,
            (
                "Job runs can't be kept on the disk now, and would be lost with this process: "
                "OSError: [Errno 28] No space left on device"
            ),
        ),
        (logging.WARNING, "Job runs are kept on the disk again."),
    ]


def test_what_neither_the_disk_nor_the_memory_takes_is_dropped_and_counted(make):
    dropped = []
    recorder = make(limit=1, capacity=2, on_dropped=lambda number, reason: dropped.append((number, reason)))

    for number in range(5):
        recorder.record(started(number))

    assert dropped == [(1, "full")] * 3
    assert recorder.unspooled == {"full": 5}
    assert recorder.balance() == QueueBalance(5, 0, 3, 2)


def test_at_a_shutdown_only_what_is_in_memory_alone_is_dropped(make, directory, monkeypatch):
    dropped = []
    recorder = make(on_dropped=lambda number, reason: dropped.append((number, reason)))
    recorder.record(started(1))
    monkeypatch.setattr("telemetry.jobs.recorder.spool.os.write", lambda *_: 0)
    recorder.record(started(2))
    monkeypatch.undo()

    recorder.shutdown(0.01)

    assert dropped == [(1, "shutdown")]
    assert recorder.balance() == QueueBalance(2, 0, 1, 1)
    assert [run.run_id for run in orphaned_runs(directory)] == [run_id(1)]


def test_a_run_that_the_database_refuses_is_dropped_and_counted_and_leaves_the_spool(make, database, directory):
    dropped = []
    recorder = make(on_dropped=lambda number, reason: dropped.append((number, reason)))
    database.refused = {run_id(2)}
    for number in range(4):
        recorder.record(ended(number))
    database.is_available.set()

    assert recorder.flush(SOON)

    assert [run.run_id for run in database.runs] == [run_id(0), run_id(1), run_id(3)]
    assert dropped == [(1, "unwritable")]
    assert recorder.balance() == QueueBalance(4, 3, 1, 0)
    recorder.shutdown(SOON)
    assert files(directory) == []


def test_what_the_disk_does_not_give_back_is_dropped_and_counted(make, database, directory, monkeypatch):
    dropped = []
    recorder = make(capacity=1, on_dropped=lambda number, reason: dropped.append((number, reason)))
    for number in range(3):
        recorder.record(ended(number))
    monkeypatch.setattr("telemetry.jobs.recorder.spool.os.pread", lambda *_: b"")
    database.is_available.set()

    assert recorder.flush(SOON)

    assert [run.run_id for run in database.runs] == [run_id(0)]
    assert sum(number for number, _ in dropped) == 2
    assert {reason for _, reason in dropped} == {"unreadable"}
    assert recorder.balance() == QueueBalance(3, 1, 2, 0)


def test_the_runs_that_are_open_are_known_until_their_end_is_written(make, database):
    recorder = make()
    for run in (started(1), started(2), ended(1)):
        recorder.record(run)
    assert recorder.open_runs() == [run_id(1), run_id(2)]

    database.is_available.set()
    recorder.flush(SOON)

    assert recorder.open_runs() == [run_id(2)]


def test_the_age_is_that_of_the_oldest_that_waits():
    now = [100.0]
    run_queue = RunQueue(10, clock=lambda: now[0])
    assert run_queue.oldest_age() == 0
    run_queue.put(started(1))
    now[0] += 5
    run_queue.put(started(2))
    now[0] += 2

    assert run_queue.oldest_age() == 7
    run_queue.acknowledge(1)
    assert run_queue.oldest_age() == 2


def test_a_run_that_ends_while_another_is_being_kept_comes_after_it(make, database, monkeypatch):
    """As when the garbage collector closes a generator during that."""
    recorder, inner = make(), [ended(2)]
    spool = recorder._queue.spool
    append = spool.append

    def appending(run):
        if inner:
            recorder.record(inner.pop())
        return append(run)

    monkeypatch.setattr(spool, "append", appending)
    recorder.record(started(1))
    database.is_available.set()

    assert recorder.flush(SOON)
    assert database.runs == [started(1), ended(2)]


def _child(recorder, pipe):
    recorder.record(started(2))
    recorder.shutdown(0.01)
    pipe.send(recorder.balance())
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_after_a_fork_has_a_spool_of_its_own_and_leaves_its_parents_alone(make, database, directory):
    recorder = make()
    recorder.record(started(1))
    context = multiprocessing.get_context("fork")
    here, is_available = context.Pipe()

    child = context.Process(target=_child, args=(recorder, is_available))
    child.start()
    assert here.poll(SOON)
    balance = here.recv()
    child.join(SOON)

    assert balance == QueueBalance(1, 0, 0, 1)
    assert orphaned_runs(directory) == [started(2)]
    database.is_available.set()
    assert recorder.flush(SOON)
    assert database.runs == [started(1)]


def test_a_backlog_that_is_closed_takes_nothing_and_settles_nothing(directory):
    run_queue = queue.RunQueue(10, ProcessSpool(directory))
    run_queue.put(started(1))
    run_queue.close()

    assert run_queue.put(started(2)) == 1
    run_queue.acknowledge(1)

    assert run_queue.balance() == QueueBalance(2, 0, 1, 1)
    assert orphaned_runs(directory) == [started(1)]


def test_how_long_a_run_may_go_on_is_by_a_clock_that_is_never_set():
    now = [100.0]
    run_queue = RunQueue(10, clock=lambda: now[0])
    run_queue.put(started(1, deadline_at=started(1).started_at + timedelta(minutes=10)))
    run_queue.put(started(2))

    now[0] += 660

    assert run_queue.time_left() == {run_id(1): timedelta(minutes=-1)}
