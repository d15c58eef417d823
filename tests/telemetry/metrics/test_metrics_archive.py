"""The archive: each of the gone counts once, whatever is interrupted, and whenever somebody looks."""

import contextlib
import threading
from itertools import count

import pytest

from telemetry.metrics import group
from telemetry.metrics.archive import REMEMBERED, Archive
from telemetry.metrics.families import Family
from telemetry.metrics.snapshot import Snapshot
from telemetry.metrics.workers import Workers
from tests.telemetry.metrics.siblings import Disk, one_that_is_gone


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
    now[0] += REMEMBERED - 1
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
    now[0] += 10 * REMEMBERED

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


class Service:
    """Two workers that do nothing by themselves, and two that are gone with 3 and 4 requests."""

    def __init__(self, directory):
        self.one, self.other = Workers(directory, list), Workers(directory, list)
        one_that_is_gone(directory, 3)
        self.one._tidy()  # the archive has something in it already
        one_that_is_gone(directory, 4)

    def total(self):
        return {family.name: family.series for family in self.one.families()}["requests_total"]['path="/"']

    def stop(self):
        for worker in (self.one, self.other):
            worker.stop()


@pytest.fixture
def service_of(tmp_path):
    made = []

    def make(number):
        made.append(Service(tmp_path / str(number)))
        return made[-1]

    yield make
    for service in made:
        service.stop()


def moments(monkeypatch, prepare, act):
    """Act at the first moment that the disk is touched, at the second and so on; what was prepared for each, and done."""
    for moment in count(1):
        service, seen = prepare(moment), []
        with monkeypatch.context() as patch:
            disk = Disk(patch, moment, lambda service=service, seen=seen: seen.append(act(service)))
            yield service, seen
        if not disk.moment_came:
            assert moment > 5  # there were that many, or this test looks at nothing
            return


def test_whoever_looks_at_any_moment_of_a_take_counts_each_once(service_of, monkeypatch):
    for service, seen in moments(monkeypatch, service_of, lambda service: service.total()):
        service.other._tidy()

        assert seen in ([], [7])
        assert service.total() == 7


def test_a_take_at_any_moment_of_somebodys_look_changes_nothing_of_what_is_seen(service_of, monkeypatch):
    for service, _ in moments(monkeypatch, service_of, lambda service: service.other._tidy()):
        assert service.total() == 7
        assert service.total() == 7


def test_whoever_is_killed_at_any_moment_of_a_take_has_neither_lost_one_nor_counted_it_twice(service_of, monkeypatch):
    def kill(_service):
        raise Killed

    for service, _ in moments(monkeypatch, service_of, kill):
        with monkeypatch.context() as inner:
            inner.setattr(group, "_MOST", group._MOST)  # the disk of this moment is watched below as well
            with contextlib.suppress(Killed):
                service.other._tidy()

        assert service.total() == 7
        service.one._tidy()
        assert service.total() == 7
        assert not [path for path in service.one._directory.glob("*.json") if path.stem.startswith("2")]
