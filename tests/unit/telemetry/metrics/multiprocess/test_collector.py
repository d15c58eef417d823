"""MultiprocessCollector: one result, whichever worker is asked, and whatever happens to the others."""

import json
import stat
import threading
import time

from telemetry.metrics.multiprocess import collector
from telemetry.metrics.multiprocess.collector import SNAPSHOT_AGE
from tests.support.forking import in_child
from tests.support.workers import Worker


def test_each_worker_collects_the_families_of_all(start_worker):
    one, other = start_worker(), start_worker()
    one.serve(3)
    other.serve(4)
    other.active = 2

    collections = [one.scrape(), other.scrape()]

    for families in collections:
        assert families["requests_total"].series == {'path="/"': 7}
        assert families["seconds"].histograms[""].counts == [7, 0, 0]
        assert families["active"].series == {"": 2}
        assert families["last_success"].series == {"": 40}
        assert families["info"].series == {'version="1"': 1}
        assert set(families[SNAPSHOT_AGE].series) == {'worker="0"', 'worker="1"'}


def test_what_was_collected_stays_counted_when_its_worker_is_killed(start_worker):
    one, other = start_worker(), start_worker()
    other.serve(5)
    other.active = 1
    assert one.total() == 5

    other.kill()

    families = one.scrape()
    assert families["requests_total"].series == {'path="/"': 5}
    assert families["seconds"].histograms[""].counts == [5, 0, 0]
    assert families["active"].series == {"": 0}  # a dead worker has nothing in progress
    assert families["last_success"].series == {"": 50}  # but its past stays true


def test_what_no_other_worker_has_requested_is_on_disk_a_second_later(start_worker):
    one, other = start_worker(), start_worker()
    other.serve(5)

    deadline = time.monotonic() + 10
    while other.changed and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    other.kill()

    assert one.total() == 5


def test_a_worker_that_stops_loses_nothing(start_worker):
    one, other = start_worker(), start_worker()
    other.serve(5)

    other.stop()

    assert one.total() == 5


def test_the_last_snapshot_is_that_of_the_end_even_when_one_is_being_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.01)
    worker, taking, go_on = Worker(tmp_path / "workers" / "group").start(), threading.Event(), threading.Event()
    collect = worker.collector._collect_own

    def slow():
        found = collect()
        taking.set()
        assert go_on.wait(30)
        return found

    monkeypatch.setattr(worker.collector, "_collect_own", slow)
    worker.serve(1)
    assert taking.wait(30)
    worker.serve(1)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    go_on.set()
    stopping.join(30)

    assert json.loads(worker.collector._own.snapshot_path.read_bytes())[3][0][4] == {'path="/"': 2}


def test_one_that_was_never_started_can_be_stopped_and_its_numbers_are_there(start_worker, tmp_path):
    other = Worker(tmp_path / "workers" / "group")
    other.serve(2)

    other.stop()

    assert start_worker().total() == 2


def test_however_many_come_and_go_they_leave_one_file_and_every_number(start_worker, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one = start_worker()
    for number in range(50):
        gone = start_worker()
        gone.serve(1)
        if number % 2:
            gone.stop()
        else:
            gone.collector._refresh()
            gone.kill()
    assert one.total() == 50

    one.collector._archive_dead()

    assert one.total() == 50
    names = sorted(path.name for path in (tmp_path / "workers" / "group").iterdir() if path.suffix != ".killed")
    assert len(list((tmp_path / "workers" / "group").glob("*.killed"))) == 3  # only the newest are kept
    own = one.collector._own
    assert names == sorted(["archive", "archive.lock", own.snapshot_path.name, own.socket_path.name])
    assert (
        list(one.collector._siblings._decoded._known) == []
    )  # missing files are forgotten, and the own one is never read


def test_nothing_is_written_while_nothing_is_measured(start_worker, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.02)
    one = start_worker()
    before = one.collector._own.snapshot_path.stat().st_mtime_ns

    time.sleep(0.3)
    still = one.collector._own.snapshot_path.stat().st_mtime_ns
    one.serve(1)
    deadline = time.monotonic() + 10
    while one.collector._own.snapshot_path.stat().st_mtime_ns == before and time.monotonic() < deadline:
        time.sleep(0.01)

    assert still == before
    assert json.loads(one.collector._own.snapshot_path.read_bytes())[3][0][4] == {'path="/"': 1}


def test_counters_never_fall_for_two_that_collect_while_workers_come_and_go(start_worker, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.01)
    one, other = start_worker(), start_worker()
    stop, seen = threading.Event(), {one: [], other: []}

    def collect(worker):
        while not stop.is_set():
            seen[worker].append(worker.total())

    collecting = [threading.Thread(target=collect, args=(worker,)) for worker in (one, other)]
    for thread in collecting:
        thread.start()
    served = 0
    for _ in range(25):
        third = start_worker()
        for _ in range(4):
            third.serve(2)
            served += 2
            one.serve(1)
            served += 1
            time.sleep(0.003)
        third.collector._refresh()
        third.kill()
    stop.set()
    for thread in collecting:
        thread.join(30)

    for values in seen.values():
        assert values == sorted(values)
    assert one.total() == other.total() == served


def test_only_the_owner_may_read_the_directory(start_worker, tmp_path):
    one, gone = start_worker(), start_worker()
    gone.kill()
    one.collector._archive_dead()
    one.scrape()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "workers" / "group").iterdir()}
    assert "archive.lock" in modes
    assert stat.S_IMODE((tmp_path / "workers" / "group").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}


def test_a_child_of_a_worker_shows_itself_and_its_end_leaves_all_of_its_parent(start_worker, tmp_path):
    one, other = start_worker(), start_worker()
    one.serve(3)
    other.serve(4)
    before = sorted((tmp_path / "workers" / "group").iterdir())

    def child():
        other.serve(100)
        total = other.total()
        other.collector.stop()
        return total

    assert in_child(child) == 104
    assert one.total() == other.total() == 7
    assert sorted((tmp_path / "workers" / "group").iterdir()) == before
    assert other.collector._own.snapshot_path.stat().st_mode & stat.S_IWUSR
