"""MultiprocessCollector in trouble: a worker hangs, the disk is full, files are broken, missing or left behind."""

import shutil
import threading
import time

import pytest

from telemetry import failsafe
from telemetry.metrics.multiprocess import collector
from telemetry.metrics.multiprocess.collector import SNAPSHOT_AGE
from tests.support.workers import Worker, at_each_disk_access


@pytest.fixture(autouse=True)
def _no_warning_yet(monkeypatch):
    """Warnings that are logged once for a process are logged once for each test."""
    monkeypatch.setattr(failsafe, "_warned", set())


def test_a_worker_that_hangs_costs_the_deadline_and_its_last_numbers_stand_in(start_worker, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, hung = start_worker(), start_worker()
    hung.serve(5)
    assert one.total() == 5
    go_on = threading.Event()
    monkeypatch.setattr(
        hung.collector._refresh_server, "_refresh", lambda: go_on.wait(30)
    )  # it accepts and never replies
    hung.serve(1)
    time.sleep(0.05)  # ages are rounded to milliseconds: the old snapshot is older by some of them

    began = time.monotonic()
    families = one.scrape()
    took = time.monotonic() - began

    go_on.set()
    assert families["requests_total"].series == {'path="/"': 5}
    assert 0.25 < took < 3
    ages = families[SNAPSHOT_AGE].series
    assert ages['worker="1"'] > ages['worker="0"']


def test_a_collection_does_not_wait_for_dead_workers(start_worker, monkeypatch):
    monkeypatch.setattr(collector, "REFRESH_TIMEOUT", 10)
    one, gone = start_worker(), start_worker()
    gone.kill()
    began = time.monotonic()

    one.scrape()

    assert time.monotonic() - began < 5


def test_a_full_disk_keeps_counters_as_they_were_written_on_all_pages_and_is_logged_once(
    start_worker, monkeypatch, caplog
):
    one, other = start_worker(), start_worker()
    one.serve(3)
    assert (one.total(), other.total()) == (3, 3)

    with monkeypatch.context() as full:
        full.setattr(collector, "replace_file", _no_space)
        one.serve(4)
        one.active = 5
        pages = [one.scrape(), other.scrape(), one.scrape()]

    assert [page["requests_total"].series['path="/"'] for page in pages] == [3, 3, 3]
    assert pages[0]["active"].series == {"": 5}
    assert (one.total(), other.total()) == (7, 7)
    assert len(caplog.records) == 1


def test_a_worker_that_starts_on_a_full_disk_shows_what_the_others_have_written(start_worker, monkeypatch):
    one = start_worker()
    one.serve(3)
    assert one.total() == 3
    monkeypatch.setattr(collector, "replace_file", _no_space)

    late = start_worker()
    late.serve(2)

    assert (one.total(), late.total()) == (3, 3)


def _no_space(_path, _data):
    raise OSError(28, "No space left on device")


def test_a_removed_directory_changes_no_result(start_worker, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, _other = start_worker(), start_worker()
    one.serve(3)

    shutil.rmtree(tmp_path / "workers" / "group")
    one.collector._archive_dead()

    assert one.total() == 3


def test_a_sibling_whose_file_is_broken_is_left_out(start_worker, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, other = start_worker(), start_worker()
    one.serve(3)
    other.serve(4)
    monkeypatch.setattr(other.collector._refresh_server, "_refresh", lambda: None)

    other.collector._own.snapshot_path.write_bytes(b"[1, 2")

    assert one.total() == 3


def test_the_files_of_dead_workers_are_removed_and_none_of_live_ones(start_worker, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, other = start_worker(), start_worker()
    partial = tmp_path / "workers" / "group" / f".{other.collector._own.snapshot_path.name}.partial"
    left = [tmp_path / "workers" / "group" / name for name in ("7-left.sock", ".7-left.json.partial")]
    for path in (partial, *left):
        path.touch()

    one.collector._archive_dead()

    assert not [path for path in left if path.exists()]
    assert partial.exists()
    assert one.collector._own.socket_path.exists()
    assert other.collector._own.socket_path.exists()


def test_a_worker_that_starts_at_any_moment_of_anothers_archiving_is_reachable(start_worker, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, came = start_worker(), []

    for disk in at_each_disk_access(lambda: came.append(start_worker())):
        with disk:
            one.collector._archive_dead()

        for worker in came[-1:]:
            worker.serve(1)
        assert one.total() == len({*came})
        for worker in came[-1:]:
            worker.stop()


def test_a_directory_that_is_deep_has_sockets_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60) / "workers" / "group"
    one, other = Worker(deep).start(), Worker(deep).start()
    other.serve(2)

    assert one.total() == 2
    assert other.collector._own.socket_path.exists()
    for worker in (one, other):
        worker.stop()
