"""The end of a run always finds room if its start did: in a spool that is full, in memory, and before a disk that hangs."""

import errno
import os
import tempfile
import threading

import pytest

from telemetry.jobs.metadata import MARK
from telemetry.jobs.recorder import intake, queue
from telemetry.jobs.recorder.disk_reserve import BLOCK, STEP
from telemetry.jobs.recorder.intake import Intake
from telemetry.jobs.recorder.queue import RunQueue
from telemetry.jobs.recorder.spool import END_ROOM, SpoolFull
from telemetry.jobs.recorder.spool_codec import MAX_RECORD_BYTES, decode, encode
from telemetry.jobs.recorder.writer import Recorder
from tests.support.job_runs import ended, run_id, started
from tests.support.spools import ProcessSpool, orphaned_runs

SOON = 30.0
LARGE = {"rows": ["x" * 1000] * 60}


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(directory):
    spool = ProcessSpool(directory, max_bytes=20 * END_ROOM)
    yield spool
    spool.abandon()


def fill(spool):
    """Start runs until the spool is full. Returns their numbers."""
    number = 0
    try:
        while True:
            spool.append(started(number))
            number += 1
    except SpoolFull:
        return range(number)


@pytest.mark.parametrize("metadata", [{}, {"rows": 1}, LARGE])
def test_a_full_spool_takes_the_ends_of_all_starts_that_it_has(spool, directory, metadata):
    numbers = fill(spool)
    assert len(numbers) > 5

    for number in numbers:
        spool.append(ended(number, metadata=metadata))

    assert spool.size <= spool.max_bytes
    spool.abandon()
    ends = [run for run in orphaned_runs(directory) if run.finished_at is not None]
    assert [run.run_id for run in ends] == [run_id(number) for number in numbers]
    assert {run.outcome for run in ends} == {"success"}
    assert all(run.metadata == metadata or MARK in run.metadata for run in ends)


def test_the_end_of_a_run_whose_start_was_refused_has_no_room_of_its_own(spool):
    fill(spool)

    with pytest.raises(SpoolFull):
        spool.append(ended(1000, metadata=LARGE))


def test_room_that_was_set_aside_is_given_back_with_the_end(spool):
    for number in fill(spool):
        position, end = spool.append(started(number)), spool.append(ended(number))
        for segment in (*spool.acknowledge(position), *spool.acknowledge(end)):
            segment.remove()

    assert len(fill(spool)) > 5


def test_a_long_error_is_shortened_to_the_room(spool, directory):
    numbers = fill(spool)

    for number in numbers:
        spool.append(ended(number, "error", error_message="№" * 500, first_error="№" * 255))

    assert spool.size <= spool.max_bytes


def test_a_record_has_a_limit_and_loses_its_metadata_beyond_it():
    line = encode(ended(1, metadata={"rows": "x" * 2_000_000}))

    assert len(line) <= MAX_RECORD_BYTES
    assert decode(line).outcome == "success"
    assert MARK in decode(line).metadata


class FullDisk:
    """Has no free block, except for those that a file without a name gives back."""

    def __init__(self, monkeypatch):
        self.free, self._write, self._truncate = 0, os.write, os.ftruncate
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "ftruncate", self.truncate)
        monkeypatch.setattr(os, "posix_fallocate", self.allocate)

    def _resize(self, file, size):
        more = -(-size // BLOCK) + -os.fstat(file).st_size // BLOCK
        if more > self.free:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.free -= more

    def write(self, file, data):
        self._resize(file, os.fstat(file).st_size + len(data))
        return self._write(file, data)

    def truncate(self, file, size):
        self._resize(file, size)
        self._truncate(file, size)

    def allocate(self, file, _offset, size):
        self._resize(file, max(size, os.fstat(file).st_size))
        self._truncate(file, max(size, os.fstat(file).st_size))


def refused(spool, number):
    """Fill the disk's last block with starts. Returns the numbers of those that fit."""
    kept = []
    try:
        while True:
            spool.append(started(number + len(kept)))
            kept.append(number + len(kept))
    except OSError:
        return kept


@pytest.mark.parametrize("taken_by_others", [False, True])
@pytest.mark.parametrize("metadata", [{}, {"rows": ["x" * 1000] * 2}, LARGE])
def test_a_full_disk_takes_the_ends_of_all_starts_that_it_has(directory, monkeypatch, metadata, taken_by_others):
    spool = ProcessSpool(directory)
    for number in range(100):
        spool.append(started(number))

    disk = FullDisk(monkeypatch)
    kept = [*range(100), *refused(spool, 100)]
    for number in kept:
        spool.append(ended(number, metadata=metadata))
        disk.free = 0 if taken_by_others else disk.free
    monkeypatch.undo()

    spool.abandon()
    assert {run.run_id for run in orphaned_runs(directory) if run.outcome} == {run_id(number) for number in kept}


def test_a_start_is_refused_where_there_is_no_room_for_its_end_and_takes_that_of_no_other(directory, monkeypatch):
    spool = ProcessSpool(directory)
    spool.append(started(0))
    disk = FullDisk(monkeypatch)
    disk.free = 1
    kept = refused(spool, 1)

    with pytest.raises(OSError, match="No space"):
        spool.append(ended(1000, metadata=LARGE))
    for number in (0, *kept):
        spool.append(ended(number, metadata=LARGE))

    assert len(kept) < STEP // END_ROOM


def test_a_disk_that_has_room_again_takes_new_runs_and_sets_room_aside_for_them(directory, monkeypatch):
    spool = ProcessSpool(directory)
    for number in range(100):
        spool.append(started(number))
    disk = FullDisk(monkeypatch)
    for number in range(70):
        spool.append(ended(number))
    disk.free = 1000

    for number in range(100, 150):
        spool.append(started(number))
    disk.free = 0

    for number in range(70, 150):
        spool.append(ended(number, metadata=LARGE))


def test_room_on_the_disk_is_given_back_with_the_ends(directory):
    spool = ProcessSpool(directory)
    for number in range(1000):
        spool.append(started(number))
    assert spool._reserve.size >= 1000 * END_ROOM

    for number in range(1000):
        spool.append(ended(number))

    assert spool._reserve.size <= 2 * STEP
    spool.abandon()


def test_where_nothing_can_be_set_aside_runs_are_kept_all_the_same(directory, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: os.fdopen(os.open("/nowhere/file", 0)))
    spool = ProcessSpool(directory)

    spool.append(started(1))
    spool.append(ended(1))

    spool.abandon()
    assert orphaned_runs(directory) == [started(1), ended(1)]


class Database:
    def __init__(self):
        self.is_available, self.runs = threading.Event(), []

    def write(self, runs):
        if not self.is_available.is_set():
            raise ConnectionError("the database is gone")
        self.runs += runs


@pytest.fixture
def recorder_for():
    made = []

    def make(**options):
        made.append((database := Database(), Recorder(database.write, retry_delays=(0.001, 0.01), **options)))
        return database, made[-1][1]

    yield make
    for database, recorder in made:
        database.is_available.set()
        recorder.shutdown(SOON)


@pytest.mark.parametrize("limit", [1, 2000, None])
def test_no_run_stays_open_when_the_spool_and_the_memory_are_full(recorder_for, directory, limit):
    dropped = []
    spool = {} if limit is None else {"spool": lambda: ProcessSpool(directory, limit)}
    database, recorder = recorder_for(capacity=3, on_dropped=lambda number, _reason: dropped.append(number), **spool)

    for number in range(10):
        recorder.record(started(number))
    taken = recorder.open_runs()
    for number in range(10):
        recorder.record(ended(number, metadata=LARGE))
    database.is_available.set()
    assert recorder.flush(SOON)

    assert len(taken) >= 3
    assert {run.run_id for run in database.runs if run.outcome == "success"} == set(taken)
    assert recorder.open_runs() == []
    assert sum(dropped) == 2 * (10 - len(taken))


def test_the_memory_is_bounded_in_bytes(monkeypatch):
    runs = RunQueue(1000)
    size = len(encode(started(1, metadata=LARGE)))
    monkeypatch.setattr(queue, "MAX_MEMORY_BYTES", 5 * size)

    rejected = [runs.put(started(number, metadata=LARGE)) for number in range(10)]

    assert rejected == [0] * 5 + [1] * 5
    assert [runs.put(ended(number, metadata=LARGE)) for number in range(10)] == [0] * 5 + [1] * 5
    runs.acknowledge(10)
    assert runs.put(started(1, metadata=LARGE)) == 0


def test_what_exceeds_the_memory_is_read_from_the_spool(monkeypatch, directory):
    spool = ProcessSpool(directory)
    runs = RunQueue(1000, spool)
    monkeypatch.setattr(queue, "MAX_MEMORY_BYTES", 1)

    assert runs.put(started(1, metadata=LARGE)) == 0
    [entry] = runs.peek(10)
    assert entry.run is None
    assert runs.read(entry) == started(1, metadata=LARGE)
    runs.close()


@pytest.fixture
def hung(monkeypatch):
    """An intake whose disk hangs, and what reached the disk."""
    monkeypatch.setattr(intake, "RECORD_TIMEOUT", 0.01)
    gate, kept, dropped = threading.Event(), [], []

    def enqueue(run):
        assert gate.wait(SOON)
        kept.append(run)

    yield Intake(enqueue, 3, lambda number, _reason: dropped.append(number)), gate, kept, dropped
    gate.set()


def test_the_ends_of_admitted_runs_wait_for_a_hung_disk(hung):
    hanging, gate, kept, dropped = hung
    for number in range(10):
        hanging.record(started(number))
    for number in range(10):
        hanging.record(ended(number, metadata=LARGE))
    gate.set()
    assert hanging.flush(SOON)

    starts = [run.run_id for run in kept if run.finished_at is None]
    assert [run.run_id for run in kept if run.finished_at is not None] == starts
    assert len(starts) >= 3
    assert len(dropped) == 2 * (10 - len(starts))
    assert hanging._sizes == {}
    assert hanging._admitted == set()


def test_what_waits_for_a_hung_disk_is_bounded_in_bytes(hung, monkeypatch):
    hanging, gate, kept, dropped = hung
    hanging._capacity = 1000
    monkeypatch.setattr(intake, "_FEW", 0)
    monkeypatch.setattr(intake, "MAX_MEMORY_BYTES", 200_000)

    for number in range(10):
        hanging.record(started(number, metadata=LARGE))
    gate.set()
    assert hanging.flush(SOON)

    assert 3 <= len(kept) <= 5
    assert len(kept) + len(dropped) == 10
