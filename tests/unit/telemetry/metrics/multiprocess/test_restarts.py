"""Ended workers are counted by reason; three that are killed within five minutes are an error in the log."""

import logging

import pytest

from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.restarts import KILLED_WINDOW, WorkerRestarts
from tests.support.telegram_server import HandClock
from tests.support.workers import dead_worker, registered


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1000.0)


def errors(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.levelno == logging.ERROR for record in caplog.records)


def test_the_third_worker_that_is_killed_within_five_minutes_is_an_error(tmp_path, clock, caplog):
    counted: list[str] = []
    siblings = [WorkerRestarts(tmp_path, counted.append, clock) for _ in range(3)]

    for number, sibling in enumerate(siblings):
        assert errors(caplog) == 0
        sibling.record({f"{number}-a": "killed"})
        clock.forward(100)

    assert (errors(caplog), counted) == (1, ["killed"] * 3)


def test_neither_slow_kills_nor_workers_that_exit_are_an_error(tmp_path, clock, caplog):
    counted: list[str] = []
    restarts = WorkerRestarts(tmp_path, counted.append, clock)

    for number in range(10):
        restarts.record({f"{number}-a": "killed", f"{number}-b": "exited"})
        clock.forward(KILLED_WINDOW / 2 + 1)

    assert errors(caplog) == 0
    assert (counted.count("killed"), counted.count("exited")) == (10, 10)
    assert len(list(tmp_path.iterdir())) <= 3


def test_a_directory_that_cannot_be_written_keeps_no_worker_from_being_counted(tmp_path, clock):
    counted: list[str] = []

    WorkerRestarts(tmp_path / "gone", counted.append, clock).record({"0-a": "killed", "1-b": "killed"})

    assert counted == ["killed"] * 2


@pytest.fixture
def workers(tmp_path):
    """Three workers of one parent: their collectors, their registries, and the reasons that were counted."""
    counted: list[str] = []
    registries = [registered(tmp_path, "group") for _ in range(3)]
    collectors = [MultiprocessCollector(each, list, count_ended=counted.append) for each in registries]
    yield collectors, registries, counted
    for collector in collectors:
        collector._refresh_server.stop()
    for registry in registries:
        registry.release()


def test_a_worker_that_is_killed_before_its_first_snapshot_is_counted_once(workers):
    (killed, *survivors), registries, counted = workers
    registries[0].release()  # as the kernel does

    for survivor in survivors * 2:
        survivor._archive_dead()

    assert counted == ["killed"]
    assert not killed._own.snapshot_path.exists()


def test_a_worker_whose_slot_has_been_taken_by_the_next_one_is_counted_too(tmp_path, workers):
    (killed, survivor, _other), registries, counted = workers
    registries[0].release()
    following = registered(tmp_path, "group")
    assert str(following.register().slot) == killed._own.label

    survivor._archive_dead()

    assert counted == ["killed"]
    following.release()


def test_a_worker_whose_snapshot_cannot_be_read_is_counted(workers):
    (killed, survivor, _other), registries, counted = workers
    killed._own.snapshot_path.write_text("[0, ")
    registries[0].release()

    survivor._archive_dead()

    assert counted == ["killed"]


def test_each_ended_worker_is_counted_once_and_by_how_it_ended(tmp_path):
    counted: list[str] = []
    directory = tmp_path / "workers" / "group"
    registries = [registered(tmp_path, "group") for _ in range(3)]
    left, *survivors = (MultiprocessCollector(each, list, count_ended=counted.append) for each in registries)
    dead_worker(directory, 1)
    left.start()
    left.stop()
    registries[0].release()

    for survivor in survivors * 2:
        survivor._archive_dead()

    assert sorted(counted) == ["exited", "killed"]
    for survivor in survivors:
        survivor._refresh_server.stop()
    for registry in registries:
        registry.release()
