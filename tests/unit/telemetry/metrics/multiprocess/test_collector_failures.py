"""Several workers in trouble: one hangs, the disk is full, files are broken, gone or left behind."""

import os
import shutil
import threading
import time

import pytest

from telemetry import failsafe
from telemetry.metrics.multiprocess import collector, membership
from telemetry.metrics.multiprocess.collector import MAX_AGE
from tests.support.workers import Worker, at_each_moment


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    """What is said once for a process is said once for each test."""
    monkeypatch.setattr(failsafe, "_warned", set())


def test_a_worker_that_hangs_costs_the_deadline_and_its_last_numbers_stand_in(worker_of, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, hung = worker_of(), worker_of()
    hung.serve(5)
    assert one.total() == 5
    go_on = threading.Event()
    monkeypatch.setattr(hung.workers._answering, "_renew", lambda: go_on.wait(30))  # it accepts, and never answers
    hung.serve(1)
    time.sleep(0.05)  # ages are told in milliseconds: what stands in is older by some of them

    began = time.monotonic()
    page = one.page()
    took = time.monotonic() - began

    go_on.set()
    assert page["requests_total"].series == {'path="/"': 5}
    assert 0.25 < took < 3
    ages = page[MAX_AGE].series
    assert ages['worker="1"'] > ages['worker="0"']


def test_a_page_waits_for_no_one_who_is_not_there(worker_of, monkeypatch):
    monkeypatch.setattr(collector, "REFRESH_TIMEOUT", 10)
    one, gone = worker_of(), worker_of()
    gone.die()
    began = time.monotonic()

    one.page()

    assert time.monotonic() - began < 5


def test_a_disk_that_is_full_harms_nobody_and_is_said_once(worker_of, monkeypatch, caplog):
    one = worker_of()

    def full(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(collector, "replace_file", full)
    one.serve(3)

    assert [one.total(), one.total()] == [3, 3]
    assert len(caplog.records) == 1


def test_a_directory_that_somebody_removes_harms_nobody(worker_of, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, _other = worker_of(), worker_of()
    one.serve(3)

    shutil.rmtree(tmp_path / "group")
    one.workers._tidy()

    assert one.total() == 3


def test_a_sibling_whose_file_is_broken_is_left_out(worker_of, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, other = worker_of(), worker_of()
    one.serve(3)
    other.serve(4)
    monkeypatch.setattr(other.workers._answering, "_renew", lambda: None)

    other.workers._place.snapshot.write_bytes(b"[1, 2")

    assert one.total() == 3


def test_what_the_gone_have_left_is_removed_and_nothing_of_the_living(worker_of, tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, other = worker_of(), worker_of()
    partial = tmp_path / "group" / f".{other.workers._place.snapshot.name}.partial"
    left = [tmp_path / "group" / name for name in ("7-left.sock", ".7-left.json.partial")]
    for path in (partial, *left):
        path.touch()

    one.workers._tidy()

    assert not [path for path in left if path.exists()]
    assert partial.exists()
    assert one.workers._place.socket.exists()
    assert other.workers._place.socket.exists()


def test_one_who_comes_at_any_moment_while_another_tidies_up_can_be_asked(worker_of, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, came = worker_of(), []

    for disk in at_each_moment(lambda: came.append(worker_of())):
        with disk:
            one.workers._tidy()

        for worker in came[-1:]:
            worker.serve(1)
        assert one.total() == len({*came})
        for worker in came[-1:]:
            worker.workers.stop()


def test_a_directory_that_is_deep_has_sockets_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    one, other = Worker(deep).start(), Worker(deep).start()
    other.serve(2)

    assert one.total() == 2
    assert other.workers._place.socket.exists()
    for worker in (one, other):
        worker.workers.stop()


def test_a_directory_that_cannot_be_used_is_one_warning_and_the_worker_shows_itself(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(membership, "parent_of_workers", os.getpid)
    (tmp_path / "workers").write_text("no directory")

    assert collector.collector_of_this_process(tmp_path, list, lambda: True) is None
    [record] = caplog.records
    assert "/metrics shows this worker alone" in record.message
