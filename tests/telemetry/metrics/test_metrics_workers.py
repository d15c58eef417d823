import json
import os
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from telemetry.metrics import group, workers
from telemetry.metrics.archive import Archive
from telemetry.metrics.distribution import Distribution, Exemplar
from telemetry.metrics.families import Family
from telemetry.metrics.snapshot import Snapshot
from telemetry.metrics.workers import AGE, Workers

BOUNDS = (0.1, 1.0)


class Worker:
    """A worker's own numbers, and its place among the others. It dies as a killed process does: its locks are gone."""

    def __init__(self, directory):
        self.requests, self.active, self.changed = 0, 0, False
        self.workers = Workers(directory, self.collect, self.has_changed)
        self.workers.start()

    def collect(self):
        seconds = Distribution(BOUNDS, [self.requests, 0, 0], 0.05 * self.requests)
        return [
            Family("requests_total", "counter", "Requests.", {'path="/"': self.requests}),
            Family("seconds", "histogram", "Seconds.", distributions={"": seconds}),
            Family("active", "gauge", "Active.", {"": self.active}),
            Family("last_success", "gauge", "Last.", {"": self.requests * 10}, across="highest"),
            Family("info", "gauge", "Info.", {'version="1"': 1}, across="once"),
        ]

    def has_changed(self):
        changed, self.changed = self.changed, False
        return changed

    def serve(self, requests):
        self.requests += requests
        self.changed = True

    def page(self):
        return {family.name: family for family in self.workers.families()}

    def total(self):
        return self.page()["requests_total"].series['path="/"']

    def die(self):
        self.workers._stop.set()
        self.workers._answering.stop()
        self.workers._thread.join(5)
        self.workers._place.leave()


@pytest.fixture
def worker_of(tmp_path):
    made = []

    def make():
        made.append(Worker(tmp_path / "group"))
        return made[-1]

    yield make
    for worker in made:
        if not worker.workers._stop.is_set():
            worker.workers.stop()


def test_whichever_worker_is_asked_the_page_is_that_of_all(worker_of):
    one, other = worker_of(), worker_of()
    one.serve(3)
    other.serve(4)
    other.active = 2

    pages = [one.page(), other.page()]

    for page in pages:
        assert page["requests_total"].series == {'path="/"': 7}
        assert page["seconds"].distributions[""].counts == [7, 0, 0]
        assert page["active"].series == {"": 2}
        assert page["last_success"].series == {"": 40}
        assert page["info"].series == {'version="1"': 1}
        assert set(page[AGE].series) == {'worker="0"', 'worker="1"'}


def test_what_a_page_has_shown_stays_counted_when_its_worker_is_killed(worker_of):
    one, other = worker_of(), worker_of()
    other.serve(5)
    other.active = 1
    assert one.total() == 5

    other.die()

    page = one.page()
    assert page["requests_total"].series == {'path="/"': 5}
    assert page["seconds"].distributions[""].counts == [5, 0, 0]
    assert page["active"].series == {"": 0}  # who is gone has nothing in progress
    assert page["last_success"].series == {"": 50}  # but what it said of the past is true


def test_what_nobody_has_asked_for_is_on_the_disk_a_second_later(worker_of):
    one, other = worker_of(), worker_of()
    other.serve(5)

    deadline = time.monotonic() + 10
    while other.changed and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    other.die()

    assert one.total() == 5


def test_a_worker_that_ends_in_order_takes_nothing_with_it(worker_of):
    one, other = worker_of(), worker_of()
    other.serve(5)

    other.workers.stop()

    assert one.total() == 5


def test_a_thousand_that_come_and_go_leave_one_file_and_every_number(worker_of, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "INTERVAL", 60)
    one = worker_of()
    for number in range(100):
        gone = worker_of()
        gone.serve(1)
        if number % 2:
            gone.workers.stop()
        else:
            gone.workers._renew()
            gone.die()

    one.workers._tidy()

    assert one.total() == 100
    assert len(list((tmp_path / "group").glob("*.json"))) == 1
    assert len(list((tmp_path / "group").iterdir())) < 10
    assert one.total() == 100


def test_a_worker_that_hangs_costs_the_deadline_and_its_last_numbers_stand_in(worker_of, monkeypatch):
    one, hung = worker_of(), worker_of()
    hung.serve(5)
    assert one.total() == 5
    held = threading.Lock()
    monkeypatch.setattr(hung.workers._answering, "_renew", held.acquire)  # it accepts, and never answers
    held.acquire()
    hung.serve(1)

    began = time.monotonic()
    found = one.total()
    took = time.monotonic() - began

    held.release()
    assert found in {5, 6}  # 6 where its own second was over meanwhile
    assert 0.25 < took < 5


def test_a_page_waits_for_no_one_who_is_not_there(worker_of):
    one, gone = worker_of(), worker_of()
    gone.die()
    began = time.monotonic()

    one.page()

    assert time.monotonic() - began < 0.25


def test_nothing_is_written_while_nothing_is_measured(worker_of, monkeypatch):
    monkeypatch.setattr(workers, "INTERVAL", 0.02)
    one = worker_of()
    before = one.workers._place.snapshot.stat().st_mtime_ns

    time.sleep(0.3)
    still = one.workers._place.snapshot.stat().st_mtime_ns
    one.serve(1)
    deadline = time.monotonic() + 10
    while one.workers._place.snapshot.stat().st_mtime_ns == before and time.monotonic() < deadline:
        time.sleep(0.01)

    assert still == before
    assert json.loads(one.workers._place.snapshot.read_bytes())[3][0][4] == {'path="/"': 1}


def test_counters_never_fall_for_two_who_look_while_workers_come_and_go(worker_of, monkeypatch):
    monkeypatch.setattr(workers, "INTERVAL", 0.01)
    one, other = worker_of(), worker_of()
    stop, seen = threading.Event(), {one: [], other: []}

    def look(worker):
        while not stop.is_set():
            seen[worker].append(worker.total())

    looking = [threading.Thread(target=look, args=(worker,)) for worker in (one, other)]
    for thread in looking:
        thread.start()
    served = 0
    for _ in range(25):
        third = worker_of()
        for _ in range(4):
            third.serve(2)
            served += 2
            one.serve(1)
            served += 1
            time.sleep(0.003)
        third.workers._renew()
        third.die()
    stop.set()
    for thread in looking:
        thread.join(30)

    for values in seen.values():
        assert values == sorted(values)
    assert one.total() == other.total() == served


def test_a_disk_that_is_full_harms_nobody(worker_of, monkeypatch):
    one = worker_of()

    def full(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workers, "replace_file", full)
    one.serve(3)

    assert one.total() == 3


def test_only_the_owner_may_look_into_the_directory(worker_of, tmp_path):
    worker_of().page()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "group").iterdir()}
    assert stat.S_IMODE((tmp_path / "group").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}


def test_a_directory_that_is_deep_has_sockets_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    one, other = Worker(deep), Worker(deep)
    other.serve(2)

    assert one.total() == 2
    assert other.workers._place.socket.exists()
    for worker in (one, other):
        worker.workers.stop()


def test_a_process_that_nobody_has_spawned_as_one_of_several_is_alone(tmp_path):
    assert workers.of_this_process(tmp_path, list, lambda: True) is None
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_used_is_one_warning_and_the_worker_shows_itself(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(group, "parent_of_workers", os.getpid)
    (tmp_path / "workers").write_text("no directory")

    assert workers.of_this_process(tmp_path, list, lambda: True) is None
    [record] = caplog.records
    assert "/metrics shows this worker alone" in record.message


def test_a_worker_finds_the_directory_of_its_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(group, "parent_of_workers", os.getpid)

    mine = workers.of_this_process(tmp_path, list, lambda: True)

    assert mine is not None
    assert [path.name.partition("-")[0] for path in (tmp_path / "workers").iterdir()] == [str(os.getpid())]
    mine.start()
    mine.stop()


def test_what_a_service_has_left_that_is_gone_is_removed_and_what_lives_is_not(tmp_path):
    gone = tmp_path / "workers" / "999999999-12"
    again = tmp_path / "workers" / f"{os.getpid()}-1"  # the number of a process that began at another time
    here = group.directory_of(tmp_path, os.getpid())
    for directory in (gone, again, here):
        directory.mkdir(parents=True)

    group.remove_left_behind(tmp_path)

    assert list((tmp_path / "workers").iterdir()) == [here]


def test_a_place_is_the_first_that_is_free_and_who_has_it_lives(tmp_path):
    one, other = group.Place.take(tmp_path), group.Place.take(tmp_path)
    assert [one.number, other.number] == [0, 1]
    assert set(group.living(tmp_path)) == {one.id, other.id}

    one.leave()
    third = group.Place.take(tmp_path)

    assert third.number == 0
    assert set(group.living(tmp_path)) == {third.id, other.id}
    for place in (third, other):
        place.leave()
    assert list(group.living(tmp_path)) == []


def snapshot(requests, worker="0"):
    return Snapshot(worker, 1.0, [Family("requests_total", "counter", "Requests.", {"": requests})])


def requests_of(archive):
    return {family.name: family.series for family in archive.read()[1].families}.get("requests_total")


@pytest.fixture
def gone_of(tmp_path):
    def make(worker, requests):
        path = tmp_path / f"{worker}.json"
        path.write_bytes(snapshot(requests).encode())
        return {worker: path}

    return make


def test_the_archive_counts_each_of_the_gone_once(tmp_path, gone_of):
    archive = Archive(tmp_path)

    assert archive.take(gone_of("0-a", 3) | gone_of("1-b", 4), lambda _worker: True) == 2
    assert archive.take(gone_of("0-c", 5), lambda _worker: True) == 1

    assert requests_of(archive) == {"": 12}
    assert list(tmp_path.glob("*.json")) == []


def test_one_whose_file_could_not_be_removed_in_time_is_not_counted_again(tmp_path, gone_of):
    """As after a crash between the archive's writing and the file's removal."""
    archive = Archive(tmp_path)
    archive.take(gone_of("0-a", 3), lambda _worker: True)

    assert archive.take(gone_of("0-a", 3), lambda _worker: True) == 0
    assert requests_of(archive) == {"": 3}
    assert list(tmp_path.glob("*.json")) == []


def test_the_living_are_left_alone(tmp_path, gone_of):
    archive = Archive(tmp_path)
    living = gone_of("0-a", 3)

    assert archive.take(living, lambda _worker: False) == 0
    assert living["0-a"].exists()


def test_names_are_forgotten_long_after_their_files_are_gone(tmp_path, gone_of):
    now = [1000.0]
    archive = Archive(tmp_path, lambda: now[0])
    archive.take(gone_of("0-a", 3), lambda _worker: True)
    now[0] += 10
    archive.take(gone_of("0-b", 3), lambda _worker: True)
    assert set(archive.read()[0]) == {"0-a", "0-b"}

    now[0] += 100
    archive.take(gone_of("0-c", 3), lambda _worker: True)

    assert set(archive.read()[0]) == {"0-c"}
    assert requests_of(archive) == {"": 9}


def test_a_file_that_is_no_snapshot_is_taken_away_and_counts_nothing(tmp_path, gone_of):
    archive = Archive(tmp_path)
    broken = tmp_path / "0-a.json"
    broken.write_text("[1, 2")

    assert archive.take({"0-a": broken}, lambda _worker: True) == 0
    assert not broken.exists()


def test_while_one_tidies_up_another_does_not(tmp_path, gone_of):
    inside, go_on = threading.Event(), threading.Event()

    def slow(_worker):
        inside.set()
        return go_on.wait(30)

    archive, gone = Archive(tmp_path), gone_of("0-a", 3)
    first = threading.Thread(target=archive.take, args=(gone, slow))
    first.start()
    assert inside.wait(30)

    assert Archive(tmp_path).take(gone, lambda _worker: True) == 0

    go_on.set()
    first.join(30)
    assert requests_of(archive) == {"": 3}


def test_a_snapshot_comes_back_as_it_was():
    distribution = Distribution(BOUNDS, [1, 2, 3], 4.5, {1: Exemplar("a" * 32, "b" * 16, 0.5, 12.25)})
    families = [
        Family("a_total", "counter", "A.", {'x="\\"{}\n"': 2**70, "": 0.1, "nan": float("inf")}),
        Family("b", "histogram", "B.", distributions={"": distribution, 'y="\ud800"': Distribution((), [7], 0)}),
        Family("c", "gauge", "C.", {"": -1}, across="worker"),
    ]

    back = Snapshot.decode(Snapshot("3", 12.5, families).encode())

    assert (back.worker, back.at, list(back.families)) == ("3", 12.5, families)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"[2, 0, 0, []]", b'[1, "0", 1.0, [["a"]]]', b"\xff", b"[1,0,0,7]"]
)
def test_what_is_no_snapshot_is_said_to_be_none(data):
    with pytest.raises(ValueError):
        Snapshot.decode(data)


def test_a_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    workers.replace_file(file, b"old")

    def killed(_self, _target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        workers.replace_file(file, b"new")

    assert file.read_bytes() == b"old"


def test_a_socket_that_somebody_left_behind_is_removed(worker_of, tmp_path):
    one = worker_of()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "group" / "7-left.sock"))
    left.close()

    one.workers._tidy()

    assert [path.name for path in (tmp_path / "group").glob("*.sock")] == [one.workers._place.socket.name]
