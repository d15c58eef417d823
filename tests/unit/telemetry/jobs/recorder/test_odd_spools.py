"""What is odd in the directory of spools keeps nothing else from being recovered, and is put aside and counted."""

import json
import os
import zlib

import pytest

from telemetry.jobs.recorder import dead_letters, orphaned_spools
from telemetry.jobs.recorder.recovery import SpoolRecovery
from telemetry.jobs.recorder.spool_codec import MAX_LINE_BYTES, encode
from telemetry.jobs.store.running_runs import RunningRuns
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.processes.file_lock import FileLock
from tests.support import spools
from tests.support.job_runs import ended, started
from tests.unit.telemetry.jobs.recorder.test_recovery import FakeCounters, always, outcomes


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def counters():
    return FakeCounters()


@pytest.fixture
def store(engine):
    return JobRunRepository(engine)


@pytest.fixture
def recovery(engine, directory, store, counters):
    return SpoolRecovery(directory, lambda: spools.live_ids(directory), store, RunningRuns(engine), counters)


def line(**changes):
    values = json.loads(encode(ended(2))[9:]) | changes
    text = json.dumps(values).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


ODD_LINES = {
    "a date that is none": line(finished_at="yesterday"),
    "a date of a month that is none": line(started_at="2025-13-41T00:00:00+00:00"),
    "a date without a time zone": line(finished_at="2025-10-02T12:00:00"),
    "a date that is a number": line(finished_at=1e9),
    "an id that is a list": line(run_id=["a"]),
    "an id that is nothing": line(run_id=None),
    "metadata that is text": line(metadata="text"),
    "a duration that is text": line(duration_seconds="long"),
    "a status that is a number": line(status=7),
    "no JSON": b"%08x %b\n" % (zlib.crc32(b"{"), b"{"),
    "JSON that is deep": b"%08x %b\n" % (zlib.crc32(b"[" * 100_000), b"[" * 100_000),
    "no UTF-8": b"%08x %b\n" % (zlib.crc32(b'"\xff"'), b'"\xff"'),
    "a list": b"%08x %b\n" % (zlib.crc32(b"[]"), b"[]"),
    "zeros": bytes(100) + b"\n",
    "nothing": b"\n",
    "a very long line": b"x" * (3 * MAX_LINE_BYTES + 5) + b"\n",
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # no database is asked about such a line
@pytest.mark.parametrize("odd", ODD_LINES)
def test_an_odd_line_is_put_aside_and_counted_and_all_others_are_recovered(recovery, store, directory, counters, odd):
    spools.leave_spool(directory, started(1), ended(1))
    [path] = directory.glob("*.runs")
    path.write_bytes(path.read_bytes() + ODD_LINES[odd] + encode(ended(3)))
    spools.leave_spool(directory, ended(4))

    recovery.recover(always)

    assert outcomes(store) == dict.fromkeys((1, 3, 4), "success")
    assert counters.drops == [(1, "unreadable")]
    [aside] = (directory / dead_letters.DIRECTORY).iterdir()
    assert aside.read_bytes().rstrip(b"\n") == ODD_LINES[odd][:MAX_LINE_BYTES].rstrip(b"\n")
    assert list(directory.glob("*.runs")) == []


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_an_id_that_no_database_can_be_asked_for_is_put_aside(recovery, store, directory, counters, text):
    spools.leave_spool(directory, ended(1))
    [path] = directory.glob("*.runs")
    path.write_bytes(path.read_bytes() + line(run_id=text))

    recovery.recover(always)

    assert outcomes(store) == {1: "success"}
    assert counters.drops == [(1, "unreadable")]


def test_a_run_that_the_database_refuses_is_put_aside(recovery, store, directory, counters):
    too_early = b"%b" % line(started_at="0001-01-01T00:00:00+14:00")
    spools.leave_spool(directory, ended(1))
    [path] = directory.glob("*.runs")
    path.write_bytes(path.read_bytes() + too_early)

    recovery.recover(always)

    assert outcomes(store) == {1: "success"}
    assert counters.drops == [(1, "unwritable")]
    [aside] = (directory / dead_letters.DIRECTORY).iterdir()
    assert aside.read_bytes() == too_early


def make_directory(path):
    path.mkdir()


def make_pipe(path):
    os.mkfifo(path)


def make_dangling_link(path):
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("make", [make_directory, make_pipe, make_dangling_link])
def test_what_is_no_file_is_left_alone(recovery, store, directory, make):
    spools.leave_spool(directory, ended(1))
    make(directory / "0000.000000.runs")

    recovery.recover(always)

    assert outcomes(store) == {1: "success"}
    assert orphaned_spools.read_open_runs(directory) == set()


def test_the_leftover_of_another_user_is_left_alone_and_said_once(recovery, store, directory, monkeypatch, caplog):
    spools.leave_spool(directory, ended(1))
    foreign = directory / "0000.000000.runs"
    foreign.write_bytes(encode(ended(2)))
    acquire, runs = FileLock.acquire, orphaned_spools._runs

    def acquiring(path, flags):
        if path == foreign:
            raise PermissionError(13, "Permission denied")
        return acquire(path, flags)

    def reading(path):
        if path == foreign:
            raise PermissionError(13, "Permission denied")
        return runs(path)

    monkeypatch.setattr(FileLock, "acquire", acquiring)
    monkeypatch.setattr(orphaned_spools, "_runs", reading)

    for _ in range(3):
        recovery.recover(always)

    assert outcomes(store) == {1: "success"}
    assert orphaned_spools.read_open_runs(directory) == set()
    assert caplog.messages == [f"Job runs of another user are not recovered: {foreign} cannot be opened."]
    assert foreign.exists()


def test_a_spool_that_fails_in_an_unforeseen_way_keeps_no_other_waiting(recovery, store, directory, monkeypatch):
    spools.leave_spool(directory, ended(1))
    spools.leave_spool(directory, ended(2))
    missing = store.missing

    def failing(runs):
        if not outcomes(store):
            failing.calls += 1
            if failing.calls == 1:
                raise RuntimeError("unforeseen")
        return missing(runs)

    failing.calls = 0
    monkeypatch.setattr(store, "missing", failing)

    with pytest.raises(RuntimeError, match="unforeseen"):
        recovery.recover(always)

    assert len(outcomes(store)) == 1


def test_what_is_put_aside_has_a_limit(directory, monkeypatch):
    monkeypatch.setattr(dead_letters, "MAX_BYTES", 10)

    assert dead_letters.put_aside(directory, "a", [b"12345\n"])
    assert not dead_letters.put_aside(directory, "a", [b"12345\n"])
    assert (directory / dead_letters.DIRECTORY / "a.lines").read_bytes() == b"12345\n"


def test_a_disk_that_takes_nothing_aside_drops_it(directory, counters, recovery, store, caplog):
    spools.leave_spool(directory, ended(1))
    [path] = directory.glob("*.runs")
    path.write_bytes(path.read_bytes() + b"odd\n")
    (directory / dead_letters.DIRECTORY).touch()

    recovery.recover(always)

    assert outcomes(store) == {1: "success"}
    assert (
        "Incomplete lines in a spool of job runs could not be kept as dead letters, and are dropped: 1."
        in caplog.messages
    )
