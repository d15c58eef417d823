"""The archive: each dead worker counts once, whatever is interrupted, and at any moment of a read."""

import threading
from contextlib import suppress

import pytest

from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess import worker_files
from telemetry.metrics.multiprocess.archive import TOMBSTONE_SECONDS, Archive
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.snapshot import Snapshot
from telemetry.processes.registry import live_processes
from tests.support.workers import at_each_disk_access, dead_worker, registered


def always_dead(_worker):
    return True


def requests_of(archive):
    return {family.name: family.series for family in archive.read()[1].families}.get("requests_total")


@pytest.fixture
def dead_of(tmp_path):
    def make(worker, requests):
        path = tmp_path / f"{worker}.json"
        numbers = [
            Family("requests_total", "counter", "Requests.", {"": requests}),
            Family("active", "gauge", "Active.", {"": requests}),
            Family("last_success", "gauge", "Last.", {"": requests}, gauge_mode="highest"),
        ]
        path.write_bytes(Snapshot("0", 1.0, numbers).encode())
        return {worker: path}

    return make


def test_the_archive_counts_each_dead_worker_once(tmp_path, dead_of):
    archive = Archive(tmp_path)

    assert len(archive.absorb(dead_of("0-a", 3) | dead_of("1-b", 4), always_dead)) == 2
    assert len(archive.absorb(dead_of("0-c", 2), always_dead)) == 1

    assert requests_of(archive) == {"": 9}
    assert list(tmp_path.glob("*.json")) == []


def test_of_gauges_it_keeps_what_stays_true(tmp_path, dead_of):
    archive = Archive(tmp_path)
    archive.absorb(dead_of("0-a", 3) | dead_of("1-b", 4), always_dead)
    archive.absorb(dead_of("0-c", 2), always_dead)

    kept = {family.name: family.series for family in archive.read()[1].families}
    assert kept == {"requests_total": {"": 9}, "last_success": {"": 4}}


def test_an_archive_without_a_file_is_empty(tmp_path):
    names, merged = Archive(tmp_path).read()

    assert (names, merged.families) == ({}, [])


def test_one_whose_file_could_not_be_removed_in_time_is_not_counted_again(tmp_path, dead_of):
    """Such as after a crash between writing the archive and removing the file."""
    archive = Archive(tmp_path)
    archive.absorb(dead_of("0-a", 3), always_dead)

    assert len(archive.absorb(dead_of("0-a", 3), always_dead)) == 0
    assert requests_of(archive) == {"": 3}
    assert list(tmp_path.glob("*.json")) == []


def test_live_workers_are_left_alone(tmp_path, dead_of):
    archive, live = Archive(tmp_path), dead_of("0-a", 3)

    assert len(archive.absorb(live, lambda _worker: False)) == 0
    assert live["0-a"].exists()


def test_one_that_another_process_has_archived_meanwhile_is_not_missed(tmp_path, dead_of):
    archive, dead = Archive(tmp_path), dead_of("0-a", 3)
    Archive(tmp_path).absorb(dead, always_dead)

    assert len(archive.absorb(dead, always_dead)) == 0
    assert requests_of(archive) == {"": 3}


def test_names_are_forgotten_long_after_their_files_are_gone(tmp_path, dead_of):
    now = [1000.0]
    archive = Archive(tmp_path, lambda: now[0])
    archive.absorb(dead_of("0-a", 3), always_dead)
    now[0] += TOMBSTONE_SECONDS - 1
    archive.absorb(dead_of("0-b", 3), always_dead)
    assert set(archive.read()[0]) == {"0-a", "0-b"}

    now[0] += 2
    archive.absorb(dead_of("0-c", 3), always_dead)

    assert set(archive.read()[0]) == {"0-b", "0-c"}
    assert requests_of(archive) == {"": 9}


def test_a_name_stays_for_as_long_as_its_file_does(tmp_path, dead_of):
    now = [1000.0]
    archive = Archive(tmp_path, lambda: now[0])
    archive.absorb(dead_of("0-a", 3), always_dead)
    now[0] += 10 * TOMBSTONE_SECONDS

    archive.absorb(dead_of("0-a", 3) | dead_of("0-b", 1), always_dead)  # as if it had never been removed

    assert set(archive.read()[0]) == {"0-a", "0-b"}
    assert requests_of(archive) == {"": 4}


def test_a_file_that_is_no_snapshot_is_removed_and_adds_nothing(tmp_path, dead_of):
    archive, broken = Archive(tmp_path), tmp_path / "0-a.json"
    broken.write_text("[1, 2")

    assert len(archive.absorb({"0-a": broken} | dead_of("0-b", 3), always_dead)) == 2
    assert not broken.exists()
    assert requests_of(archive) == {"": 3}


def test_while_one_archives_another_does_not(tmp_path, dead_of):
    inside, go_on = threading.Event(), threading.Event()

    def slow(_worker):
        inside.set()
        return go_on.wait(30)

    archive, dead = Archive(tmp_path), dead_of("0-a", 3)
    first = threading.Thread(target=archive.absorb, args=(dead, slow))
    first.start()
    assert inside.wait(30)

    assert len(Archive(tmp_path).absorb(dead, always_dead)) == 0

    go_on.set()
    first.join(30)
    assert requests_of(archive) == {"": 3}


class Killed(BaseException):
    """Raised through every `except Exception`, such as SIGKILL would end the process."""


def killed():
    raise Killed


def absorb(directory):
    """As a worker does once a second."""
    return Archive(directory).absorb(
        worker_files.snapshot_files(directory), lambda worker: worker not in live_workers(directory)
    )


def live_workers(directory):
    return {entry.id for entry in live_processes(directory.parent.parent)}


@pytest.fixture
def total(tmp_path):
    """Prepares two dead workers with 7 requests in all, one of them archived; collects from a third one."""
    registry = registered(tmp_path, "group")
    collector = MultiprocessCollector(registry, list)
    directory = collector._directory

    def prepare():
        for path in (*directory.glob("*.json"), *directory.glob("archive")):
            path.unlink()
        dead_worker(directory, 3)
        absorb(directory)
        dead_worker(directory, 4)

    def collect():
        return {family.name: family.series for family in collector.collect()}["requests_total"]['path="/"']

    collect.prepare, collect.directory = prepare, directory
    yield collect
    collector.stop()
    registry.release()


def test_a_collection_at_any_moment_of_archiving_counts_each_once(total):
    seen = []

    for disk in at_each_disk_access(lambda: seen.append(total())):
        total.prepare()
        with disk:
            absorb(total.directory)
        assert total() == 7

    assert set(seen) == {7}


def test_archiving_at_any_moment_of_a_collection_changes_nothing_of_its_result(total):
    for disk in at_each_disk_access(lambda: absorb(total.directory)):
        total.prepare()
        with disk:
            assert total() == 7
        assert total() == 7


def test_a_kill_at_any_moment_of_archiving_neither_loses_a_worker_nor_counts_it_twice(total):
    for disk in at_each_disk_access(killed):
        total.prepare()
        with disk, suppress(Killed):
            absorb(total.directory)

        assert total() == 7
        absorb(total.directory)
        assert total() == 7
        assert worker_files.snapshot_files(total.directory).keys() <= live_workers(total.directory)


def test_of_two_that_archive_at_once_one_does(total):
    for disk in at_each_disk_access(lambda: absorb(total.directory)):
        total.prepare()
        with disk:
            absorb(total.directory)

        assert total() == 7
