"""The refresh protocol: all workers at once, with a deadline, and without those that do not accept."""

import errno
import socket
import stat
import threading
import time

import pytest

from telemetry.metrics.multiprocess import refresh
from telemetry.metrics.multiprocess.refresh import RefreshServer, request_refresh

DEADLINE = 5.0
NOT_LONG = 2.0


class Refresh:
    """Counts its calls, and may block."""

    def __init__(self, go_on=None):
        self.times, self.began, self._go_on = 0, threading.Event(), go_on

    def __call__(self):
        self.times += 1
        self.began.set()
        if self._go_on is not None:
            assert self._go_on.wait(30)


@pytest.fixture
def server():
    made = []

    def make(path, refresh_call):
        made.append(RefreshServer(path, refresh_call))
        made[-1].start()
        return path

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def hung(tmp_path):
    """The path of a socket with a backlog of one connection that never replies."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "hung.sock"))
        listening.listen(0)
        yield tmp_path / "hung.sock"


def test_a_worker_that_replies_has_refreshed_before(server, tmp_path):
    one, other = Refresh(), Refresh()
    paths = [server(tmp_path / "one.sock", one), server(tmp_path / "other.sock", other)]

    assert request_refresh(paths).wait(DEADLINE) == 0

    assert (one.times, other.times) == (1, 1)


def test_one_that_hangs_costs_the_deadline_and_no_more(server, hung, tmp_path):
    path = server(tmp_path / "one.sock", Refresh())
    began = time.monotonic()

    silent = request_refresh([hung, path]).wait(0.2)

    assert silent == 1
    assert 0.2 <= time.monotonic() - began < NOT_LONG


def test_the_deadline_begins_with_the_asking(hung):
    pending = request_refresh([hung])
    time.sleep(2)
    began = time.monotonic()

    assert pending.wait(2) == 1
    assert time.monotonic() - began < 1.5


def test_one_whose_backlog_is_full_is_not_waited_for(hung):
    first = [request_refresh([hung]) for _ in range(3)]  # more than its backlog
    began = time.monotonic()

    assert request_refresh([hung]).wait(DEADLINE) == 0

    assert time.monotonic() - began < NOT_LONG
    for pending in first:
        pending.wait(0.01)


def test_an_abandoned_socket_and_a_missing_one_are_skipped(tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "left.sock"))
    left.close()
    began = time.monotonic()

    assert request_refresh([tmp_path / "left.sock", tmp_path / "none.sock"]).wait(DEADLINE) == 0
    assert time.monotonic() - began < NOT_LONG


def test_no_workers_are_not_waited_for():
    assert request_refresh([]).wait(DEADLINE) == 0


def test_a_path_may_be_longer_than_an_address(server, tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    refresh_calls = Refresh()

    path = server(deep / "one.sock", refresh_calls)

    assert len(str(path)) > 108
    assert request_refresh([path]).wait(DEADLINE) == 0
    assert refresh_calls.times == 1


def test_requests_that_arrive_meanwhile_share_one_refresh(server, tmp_path):
    go_on = threading.Event()
    refresh_calls = Refresh(go_on)
    path = server(tmp_path / "one.sock", refresh_calls)
    first = request_refresh([path])
    assert refresh_calls.began.wait(30)

    meanwhile = [request_refresh([path]) for _ in range(5)]
    go_on.set()

    assert [pending.wait(DEADLINE) for pending in (first, *meanwhile)] == [0] * 6
    assert refresh_calls.times == 2


def test_a_client_that_has_disconnected_harms_no_other(server, tmp_path):
    go_on = threading.Event()
    refresh_calls = Refresh(go_on)
    path = server(tmp_path / "one.sock", refresh_calls)
    first = request_refresh([path])
    assert refresh_calls.began.wait(30)
    assert first.wait(0.0) == 1  # its connection is closed

    go_on.set()

    assert request_refresh([path]).wait(DEADLINE) == 0


def test_a_stop_waits_for_no_request_and_leaves_no_socket(tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "_POLL_SECONDS", 30)
    refresh_calls = Refresh()
    server = RefreshServer(tmp_path / "one.sock", refresh_calls)
    server.start()
    assert stat.S_IMODE((tmp_path / "one.sock").stat().st_mode) == 0o600
    time.sleep(0.05)
    began = time.monotonic()

    server.stop()

    assert time.monotonic() - began < 10
    assert refresh_calls.times == 0
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_never_started_can_be_stopped(tmp_path):
    RefreshServer(tmp_path / "one.sock", Refresh()).stop()

    assert list(tmp_path.iterdir()) == []


class NoFreeDescriptor:
    """A socket that cannot accept a connection."""

    def __init__(self, inner):
        self.tried, self._inner = 0, inner

    def accept(self):
        self.tried += 1
        raise OSError(errno.EMFILE, "Too many open files")

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_a_process_that_has_no_descriptor_free_does_not_try_all_the_time(tmp_path):
    server = RefreshServer(tmp_path / "one.sock", Refresh())
    server._socket = NoFreeDescriptor(server._socket)

    server.start()
    time.sleep(0.3)
    server.stop()

    assert 1 <= server._socket.tried <= 4
