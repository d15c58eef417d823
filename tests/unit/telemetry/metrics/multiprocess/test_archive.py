"""The archive: each of the gone counts once, whatever is interrupted, and whenever somebody looks."""

import threading
from contextlib import suppress

import pytest

from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess import membership
from telemetry.metrics.multiprocess.archive import MAX_REMEMBERED_WORKERS, Archive
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.snapshot import Snapshot
from tests.support.workers import at_each_moment, one_that_is_gone


def anybody(_worker):
    return True


def requests_of(archive):
    return {family.name: family.series for family in archive.read()[1].families}.get("requests_total")


@pytest.fixture
def gone_of(tmp_path):
    def make(worker, requests):
        path = tmp_path / f"{worker}.json"
        numbers = [
            Family("requests_total", "counter", "Requests.", {"": requests}),
            Family("active", "gauge", "Active.", {"": requests}),
            Family("last_success", "gauge", "Last.", {"": requests}, across="highest"),
        ]
        path.write_bytes(Snapshot("0", 1.0, numbers).encode())
        return {worker: path}

    return make


def test_the_archive_counts_each_of_the_gone_once(tmp_path, gone_of):
    archive = Archive(tmp_path)

    assert archive.take(gone_of("0-a", 3) | gone_of("1-b", 4), anybody) == 2
    assert archive.take(gone_of("0-c", 2), anybody) == 1

    assert requests_of(archive) == {"": 9}
    assert list(tmp_path.glob("*.json")) == []


def test_of_gauges_it_keeps_what_stays_true(tmp_path, gone_of):
    archive = Archive(tmp_path)
    archive.take(gone_of("0-a", 3) | gone_of("1-b", 4), anybody)
    archive.take(gone_of("0-c", 2), anybody)

    kept = {family.name: family.series for family in archive.read()[1].families}
    assert kept == {"requests_total": {"": 9}, "last_success": {"": 4}}


def test_an_archive_that_nobody_has_written_is_empty(tmp_path):
    names, together = Archive(tmp_path).read()

    assert (names, together.families) == ({}, [])


def test_one_whose_file_could_not_be_removed_in_time_is_not_counted_again(tmp_path, gone_of):
    """As after a crash between the archive's writing and the file's removal."""
    archive = Archive(tmp_path)
    archive.take(gone_of("0-a", 3), anybody)

    assert archive.take(gone_of("0-a", 3), anybody) == 0
    assert requests_of(archive) == {"": 3}
    assert list(tmp_path.glob("*.json")) == []


def test_the_living_are_left_alone(tmp_path, gone_of):
    archive, living = Archive(tmp_path), gone_of("0-a", 3)

    assert archive.take(living, lambda _worker: False) == 0
    assert living["0-a"].exists()


def test_one_that_somebody_else_has_taken_meanwhile_is_not_missed(tmp_path, gone_of):
    archive, gone = Archive(tmp_path), gone_of("0-a", 3)
    Archive(tmp_path).take(gone, anybody)

    assert archive.take(gone, anybody) == 0
    assert requests_of(archive) == {"": 3}


def test_names_are_forgotten_long_after_their_files_are_gone(tmp_path, gone_of):
    now = [1000.0]
    archive = Archive(tmp_path, lambda: now[0])
    archive.take(gone_of("0-a", 3), anybody)
    now[0] += MAX_REMEMBERED_WORKERS - 1
    archive.take(gone_of("0-b", 3), anybody)
    assert set(archive.read()[0]) == {"0-a", "0-b"}

    now[0] += 2
    archive.take(gone_of("0-c", 3), anybody)

    assert set(archive.read()[0]) == {"0-b", "0-c"}
    assert requests_of(archive) == {"": 9}


def test_a_name_stays_for_as_long_as_its_file_does(tmp_path, gone_of):
    now = [1000.0]
    archive = Archive(tmp_path, lambda: now[0])
    archive.take(gone_of("0-a", 3), anybody)
    now[0] += 10 * MAX_REMEMBERED_WORKERS

    archive.take(gone_of("0-a", 3) | gone_of("0-b", 1), anybody)  # as if it had never been removed

    assert set(archive.read()[0]) == {"0-a", "0-b"}
    assert requests_of(archive) == {"": 4}


def test_a_file_that_is_no_snapshot_is_taken_away_and_counts_nothing(tmp_path, gone_of):
    archive, broken = Archive(tmp_path), tmp_path / "0-a.json"
    broken.write_text("[1, 2")

    assert archive.take({"0-a": broken} | gone_of("0-b", 3), anybody) == 1
    assert not broken.exists()
    assert requests_of(archive) == {"": 3}


def test_while_one_tidies_up_another_does_not(tmp_path, gone_of):
    inside, go_on = threading.Event(), threading.Event()

    def slow(_worker):
        inside.set()
        return go_on.wait(30)

    archive, gone = Archive(tmp_path), gone_of("0-a", 3)
    first = threading.Thread(target=archive.take, args=(gone, slow))
    first.start()
    assert inside.wait(30)

    assert Archive(tmp_path).take(gone, anybody) == 0

    go_on.set()
    first.join(30)
    assert requests_of(archive) == {"": 3}


class Killed(BaseException):
    """Goes through everything, as a signal does that nobody can catch."""


def killed():
    raise Killed


def take(directory):
    """As a worker does that tidies up."""
    return Archive(directory).take(
        membership.snapshots(directory), lambda worker: worker not in membership.live_workers(directory)
    )


@pytest.fixture
def look(tmp_path):
    """Prepares two workers that are gone, with 7 requests, one of them in the archive; asks a third for its page."""
    looking = MultiprocessCollector(tmp_path / "group", list)
    directory = looking._directory

    def prepare():
        for path in (*directory.glob("*.json"), *directory.glob("archive")):
            path.unlink()
        one_that_is_gone(directory, 3)
        take(directory)
        one_that_is_gone(directory, 4)

    def total():
        return {family.name: family.series for family in looking.families()}["requests_total"]['path="/"']

    total.prepare, total.directory = prepare, directory
    yield total
    looking.stop()


def test_whoever_looks_at_any_moment_of_a_take_counts_each_once(look):
    seen = []

    for disk in at_each_moment(lambda: seen.append(look())):
        look.prepare()
        with disk:
            take(look.directory)
        assert look() == 7

    assert set(seen) == {7}


def test_a_take_at_any_moment_of_somebodys_look_changes_nothing_of_what_is_seen(look):
    for disk in at_each_moment(lambda: take(look.directory)):
        look.prepare()
        with disk:
            assert look() == 7
        assert look() == 7


def test_whoever_is_killed_at_any_moment_of_a_take_has_neither_lost_one_nor_counted_it_twice(look):
    for disk in at_each_moment(killed):
        look.prepare()
        with disk, suppress(Killed):
            take(look.directory)

        assert look() == 7
        take(look.directory)
        assert look() == 7
        assert membership.snapshots(look.directory).keys() <= set(membership.live_workers(look.directory))


def test_of_two_who_take_at_once_one_does(look):
    for disk in at_each_moment(lambda: take(look.directory)):
        look.prepare()
        with disk:
            take(look.directory)

        assert look() == 7
