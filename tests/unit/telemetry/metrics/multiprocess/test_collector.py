"""Several workers: one page, whichever of them is asked, and whatever becomes of them."""

import json
import os
import stat
import threading
import time

from telemetry.metrics.multiprocess import collector, membership
from telemetry.metrics.multiprocess.collector import MAX_AGE, MultiprocessCollector
from tests.support.workers import Worker


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
        assert set(page[MAX_AGE].series) == {'worker="0"', 'worker="1"'}


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


def test_the_last_snapshot_is_that_of_the_end_even_when_one_is_being_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.01)
    worker, taking, go_on = Worker(tmp_path / "group").start(), threading.Event(), threading.Event()
    collect = worker.workers._collect

    def slow():
        found = collect()
        taking.set()
        assert go_on.wait(30)
        return found

    monkeypatch.setattr(worker.workers, "_collect", slow)
    worker.serve(1)
    assert taking.wait(30)
    worker.serve(1)
    stopping = threading.Thread(target=worker.workers.stop)
    stopping.start()
    go_on.set()
    stopping.join(30)

    assert json.loads(worker.workers._place.snapshot.read_bytes())[3][0][4] == {'path="/"': 2}


def test_one_that_was_never_started_can_be_stopped_and_its_numbers_are_there(worker_of, tmp_path):
    other = Worker(tmp_path / "group")
    other.serve(2)

    other.workers.stop()

    assert worker_of().total() == 2


def test_however_many_come_and_go_they_leave_one_file_and_every_number(worker_of, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one = worker_of()
    for number in range(50):
        gone = worker_of()
        gone.serve(1)
        if number % 2:
            gone.workers.stop()
        else:
            gone.workers._renew()
            gone.die()
    assert one.total() == 50

    one.workers._tidy()

    assert one.total() == 50
    names = sorted(path.name for path in (tmp_path / "group").iterdir())
    mine = one.workers._place
    assert names == sorted(["0.place", "1.place", "archive", "archive.lock", mine.snapshot.name, mine.socket.name])
    assert list(one.workers._snapshots._known) == []  # what is gone is forgotten, and one's own is never read


def test_nothing_is_written_while_nothing_is_measured(worker_of, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.02)
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
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.01)
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


def test_only_the_owner_may_look_into_the_directory(worker_of, tmp_path):
    one, gone = worker_of(), worker_of()
    gone.die()
    one.workers._tidy()
    one.page()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "group").iterdir()}
    assert "archive.lock" in modes
    assert stat.S_IMODE((tmp_path / "group").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}


def test_a_process_that_nobody_has_spawned_as_one_of_several_is_alone(tmp_path):
    assert collector.collector_of_this_process(tmp_path, list, lambda: True) is None
    assert list(tmp_path.iterdir()) == []


def test_a_worker_finds_the_directory_of_its_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(membership, "parent_of_workers", os.getpid)

    mine = collector.collector_of_this_process(tmp_path, list, lambda: True)

    assert isinstance(mine, MultiprocessCollector)
    mine.start()
    [directory] = (tmp_path / "workers").iterdir()
    assert directory == membership.directory_of(tmp_path, os.getpid())
    assert stat.S_IMODE(directory.parent.stat().st_mode) == stat.S_IMODE(directory.stat().st_mode) == 0o700
    mine.stop()
