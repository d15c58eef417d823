import signal
import threading

import pytest

from telemetry.error_text import CheckFailed
from telemetry.health.lifecycle import Lifecycle, stopping_on_signals


class Stopped:
    """Whether it was told to stop: what a lifecycle asks, and what a signal handler calls."""

    def __init__(self):
        self.told = False

    def stop(self):
        self.told = True

    def is_running(self):
        return not self.told


@pytest.fixture
def stopped():
    return Stopped()


@pytest.fixture
def received_by_server():
    """The signals that a server's own handlers receive; they must go on receiving them."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _frame: received.append(got))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield received
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_process_starts_is_ready_and_stops(stopped):
    lifecycle = Lifecycle(stopped.is_running)

    phases = [lifecycle.phase]
    lifecycle.mark_ready()
    phases.append(lifecycle.phase)
    stopped.stop()
    phases.append(lifecycle.phase)

    assert phases == ["starting", "ready", "stopping"]


def test_who_stops_does_not_become_ready_again(stopped):
    lifecycle = Lifecycle(stopped.is_running)

    stopped.stop()
    lifecycle.mark_ready()

    assert lifecycle.phase == "stopping"


def test_only_a_ready_process_passes_its_check(stopped):
    lifecycle = Lifecycle(stopped.is_running)

    with pytest.raises(CheckFailed, match="starting"):
        lifecycle.check()
    lifecycle.mark_ready()
    lifecycle.check()
    stopped.stop()
    with pytest.raises(CheckFailed, match="stopping"):
        lifecycle.check()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_and_reaches_the_server_too(received_by_server, stopped, number):
    with stopping_on_signals(stopped.stop):
        signal.raise_signal(number)
        told = stopped.told

    assert told
    assert received_by_server == [number]


def test_the_servers_own_handlers_are_put_back(received_by_server):
    before = signal.getsignal(signal.SIGTERM)

    with stopping_on_signals(Stopped().stop):
        during = signal.getsignal(signal.SIGTERM)

    assert during is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_handler_that_came_later_is_left_alone(received_by_server):
    def later(_number, _frame):
        """Somebody else's."""

    with stopping_on_signals(Stopped().stop):
        signal.signal(signal.SIGTERM, later)

    assert signal.getsignal(signal.SIGTERM) is later


@pytest.mark.parametrize("nobody", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_signal_that_nobody_handles_is_left_alone(received_by_server, nobody):
    signal.signal(signal.SIGTERM, nobody)

    with stopping_on_signals(Stopped().stop):
        during = signal.getsignal(signal.SIGTERM)

    assert during is nobody
    assert signal.getsignal(signal.SIGTERM) is nobody


def test_outside_the_main_thread_no_handler_is_touched(received_by_server):
    before = signal.getsignal(signal.SIGTERM)
    during = []

    def elsewhere() -> None:
        with stopping_on_signals(Stopped().stop):
            during.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(5)

    assert during == [before]
