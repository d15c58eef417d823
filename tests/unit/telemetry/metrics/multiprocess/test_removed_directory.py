"""Somebody removes the workers' directory, or it cannot be written for a while: no counter falls, and all is true again."""

import shutil
import threading

import pytest

from telemetry import private_files
from telemetry.metrics.multiprocess import collector
from telemetry.metrics.multiprocess.archive import Archive
from telemetry.metrics.multiprocess.refresh import RefreshServer, request_refresh
from tests.support.workers import Worker, at_each_disk_access, dead_worker


@pytest.fixture
def group(tmp_path):
    return tmp_path / "workers" / "group"


@pytest.fixture
def restless(monkeypatch):
    """Workers that look after their files without a pause."""
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.02)
    monkeypatch.setattr(collector, "RESTORE_TIMEOUT", 30)


@pytest.mark.usefixtures("restless")
def test_a_page_waits_until_all_workers_have_written_again(start_worker, group):
    workers = [start_worker() for _ in range(3)]
    for worker in workers:
        worker.serve(2)
    dead_worker(group, 5)
    assert [worker.total() for worker in workers] == [11, 11, 11]
    for worker in workers:
        worker.collector._archive_dead()

    for number in range(1, 4):
        shutil.rmtree(group, ignore_errors=True)
        for worker in workers:
            worker.serve(1)
        assert [worker.total() for worker in workers] == [11 + 3 * number] * 3


def test_the_dead_stay_counted_whoever_writes_again_first(start_worker, group, monkeypatch, caplog):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, other = start_worker(), start_worker()
    for number in (5, 7):
        dead_worker(group, number)
        one.collector._archive_dead()
    one.total()
    other.total()
    dead_worker(group, 9)
    one.collector._archive_dead()  # the other has not seen this one

    shutil.rmtree(group)
    other.collector._restore()
    one.collector._restore()

    assert one.total() == other.total() == 21
    assert len([record for record in caplog.records if "was removed" in record.message]) == 1


def test_the_dead_stay_counted_when_a_snapshot_is_written_before_the_archive(start_worker, group, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one = start_worker()
    dead_worker(group, 5)
    one.collector._archive_dead()
    shutil.rmtree(group)
    private_files.make_directory(group)
    one.collector._refresh()

    one.collector._restore()

    assert start_worker().total() == 5


def test_one_that_dies_while_the_archive_is_missing_is_added_to_it(start_worker, group, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one = start_worker()
    dead_worker(group, 5)
    one.collector._archive_dead()
    (group / "archive").unlink()
    dead_worker(group, 3)

    assert one.total() == 8
    one.collector._archive_dead()

    assert one.total() == 8
    assert start_worker().total() == 8


def test_a_clock_that_was_set_back_hides_no_archive(start_worker, group, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    one, other = start_worker(), start_worker()
    dead_worker(group, 5)
    one.collector._archive_dead()
    assert other.total() == 5
    one.collector._archive._clock = lambda: 1000.0
    dead_worker(group, 3)

    one.collector._archive_dead()

    assert other.total() == 8


def test_one_that_does_not_write_again_is_shown_as_it_was_and_waited_for_once(start_worker, group, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    monkeypatch.setattr(collector, "RESTORE_TIMEOUT", 0.05)
    one, hung = start_worker(), start_worker()
    hung.serve(4)
    one.collector._archive_dead()
    assert one.total() == 4

    shutil.rmtree(group)

    assert one.total() == 4
    assert one.collector._siblings._given_up == {hung.collector._own.id}
    assert one.total() == 4
    hung.collector._refresh()  # it has a snapshot again, but no socket
    assert one.total() == 4
    assert one.collector._siblings._given_up == {hung.collector._own.id}
    hung.serve(1)
    hung.collector._restore()
    assert one.total() == 5


def test_a_worker_that_has_just_started_waits_for_those_that_were_there_before(start_worker, group, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.02)
    monkeypatch.setattr(collector, "RESTORE_TIMEOUT", 30)
    one = start_worker()
    one.serve(3)
    dead_worker(group, 5)
    one.collector._archive_dead()

    for number in range(1, 4):
        shutil.rmtree(group, ignore_errors=True)
        assert start_worker().total() == 8, number


def test_one_that_has_ended_in_order_is_not_waited_for(start_worker, group, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    monkeypatch.setattr(collector, "RESTORE_TIMEOUT", 3600)
    one, other = start_worker(), start_worker()
    other.serve(4)
    assert one.total() == 4

    other.collector.stop()  # its process still lives

    assert one.total() == 4
    assert one.collector._siblings._given_up == set()


def test_a_page_for_which_files_are_removed_while_it_is_read_is_read_again(start_worker, group, monkeypatch):
    """Nothing falls on it. What the other one has counted at that moment is on the next page at the latest."""
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 0.02)
    monkeypatch.setattr(collector, "REFRESH_TIMEOUT", 30)
    one, other = start_worker(), start_worker()
    other.serve(1)
    assert one.total() == 1

    for number, disk in enumerate(at_each_disk_access(lambda: shutil.rmtree(group, ignore_errors=True)), start=2):
        other.serve(1)
        with disk:
            assert one.total() in {number - 1, number}
        assert one.total() == number


def test_a_worker_that_starts_where_nothing_can_be_written_joins_later(group, start_worker, monkeypatch):
    monkeypatch.setattr(collector, "WRITE_INTERVAL", 60)
    monkeypatch.setattr(collector, "RESTORE_TIMEOUT", 0.05)
    one = start_worker()
    with monkeypatch.context() as read_only:
        read_only.setattr(RefreshServer, "reopen", _refuse)
        read_only.setattr(collector, "replace_file", _refuse)
        late = Worker(group).start()
        late.serve(3)
        assert one.total() == 0  # after it has waited
        assert late.total() == 0

    late.collector._restore()

    assert one.total() == late.total() == 3
    late.stop()


def _refuse(*_args):
    raise PermissionError(13, "Permission denied")


def test_a_server_whose_socket_was_removed_replies_at_another_one(tmp_path):
    asked = threading.Event()
    server = RefreshServer(tmp_path / "one.sock", asked.set)
    server.start()
    server._path.unlink()
    assert not server.is_open()

    server.reopen()

    assert server.is_open()
    assert request_refresh([server._path]).wait(30) == 0
    assert asked.is_set()
    server.stop()


def test_after_its_end_a_worker_restores_nothing(group, start_worker):
    one, other = start_worker(), start_worker()
    other.serve(2)
    other.stop()

    other.collector._restore()

    assert not other.collector._own.socket_path.exists()
    assert one.total() == 2


def test_a_snapshot_that_is_removed_before_it_is_archived_is_left_out(tmp_path):
    archive = Archive(tmp_path)

    assert archive.absorb({"gone": tmp_path / "gone.json"}, lambda _worker: True) == {}
    assert archive.read()[0] == {}


def test_a_socket_that_cannot_be_made_leaves_the_former_one(tmp_path):
    server = RefreshServer(tmp_path / "one.sock", lambda: None)
    former = server._socket

    with pytest.raises(OSError, match="in use"):
        server.reopen()

    assert server._socket is former
    server.stop()
