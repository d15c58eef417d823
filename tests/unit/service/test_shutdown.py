import os
import signal
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from service.shutdown import StopSignal

LONG = 60.0
SOON = 10.0  # the bound of what takes a millisecond on an idle machine


@pytest.fixture
def stop_signal():
    return StopSignal()


@contextmanager
def handling(number, handler):
    """A handler of the signal for a while: it runs in the main thread, between any two lines."""
    before = signal.signal(number, lambda _number, _frame: handler())
    try:
        yield
    finally:
        signal.signal(number, before)


def waiting(stop_signal, seconds=LONG):
    """A thread that waits; when it has ended, it has written down what it was told, and when."""
    told = []
    thread = threading.Thread(target=lambda: told.append((stop_signal.wait(seconds), time.monotonic())))
    thread.start()
    return thread, told


def all_wait(stop_signal, number):
    end = time.monotonic() + 10
    while len(stop_signal._waiters) < number:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_it_runs_until_it_is_set(stop_signal):
    before = (stop_signal.is_running(), stop_signal.set_at)
    stop_signal.set()

    assert before == (True, None)
    assert not stop_signal.is_running()
    assert 0 <= time.monotonic() - stop_signal.set_at < SOON


def test_the_first_time_counts(stop_signal):
    stop_signal.set()
    first = stop_signal.set_at
    stop_signal.set()

    assert stop_signal.set_at == first


def test_a_wait_lasts_as_long_as_it_was_asked_to_and_then_it_goes_on(stop_signal):
    began = time.monotonic()

    assert stop_signal.wait(0.05)
    assert 0.04 <= time.monotonic() - began < SOON
    assert stop_signal._waiters == []


@pytest.mark.parametrize("seconds", [0, -1])
def test_there_is_no_wait_of_no_time(stop_signal, seconds):
    assert stop_signal.wait(seconds)


def test_a_wait_may_be_longer_than_the_system_can_wait(stop_signal):
    thread, told = waiting(stop_signal, 1e12)
    all_wait(stop_signal, 1)

    stop_signal.set()
    thread.join(10)

    assert told[0][0] is False


def test_who_waits_after_it_was_set_does_not_wait(stop_signal):
    stop_signal.set()
    began = time.monotonic()

    assert not stop_signal.wait(LONG)
    assert time.monotonic() - began < SOON


def test_all_that_wait_are_woken_at_once(stop_signal):
    waiters = [waiting(stop_signal) for _ in range(8)]
    all_wait(stop_signal, 8)
    began = time.monotonic()

    stop_signal.set()
    for thread, _ in waiters:
        thread.join(10)

    assert [told[0][0] for _, told in waiters] == [False] * 8
    assert min(told[0][1] for _, told in waiters) - began < SOON
    assert stop_signal._waiters == []


def test_a_signal_that_interrupts_the_wait_of_the_main_thread_ends_it(stop_signal):
    killer = threading.Thread(target=lambda: (all_wait(stop_signal, 1), os.kill(os.getpid(), signal.SIGUSR1)))
    began = time.monotonic()

    with handling(signal.SIGUSR1, stop_signal.set):
        killer.start()
        goes_on = stop_signal.wait(LONG)
    killer.join(10)

    assert not goes_on
    assert time.monotonic() - began < SOON


def test_a_signal_at_any_moment_of_a_wait_or_of_another_set_does_not_hang(stop_signal):
    """A handler that took a lock would hang here: it runs in the middle of what has that lock."""
    signals, ended = [StopSignal() for _ in range(200)], []
    current = [stop_signal]
    done = threading.Event()

    def shoot():
        while not done.wait(0.0003):
            os.kill(os.getpid(), signal.SIGUSR1)

    def set_the_current_one():
        current[-1].set()

    with handling(signal.SIGUSR1, set_the_current_one):
        gun = threading.Thread(target=shoot)
        gun.start()
        for each in signals:
            current.append(each)
            ended.append(each.wait(LONG))
            each.set()
        done.set()
        gun.join(10)

    assert ended == [False] * 200


def test_a_forked_child_has_a_signal_of_its_own(stop_signal):
    thread, told = waiting(stop_signal)
    all_wait(stop_signal, 1)

    child = os.fork()
    if child == 0:
        stop_signal.set()
        os._exit(0 if not stop_signal.wait(LONG) else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert (stop_signal.is_running(), told) == (True, [])
    stop_signal.set()
    thread.join(10)


def test_a_signal_just_before_the_wait_is_not_missed_by_the_main_thread(monkeypatch):
    """It is handled when the wait is over, which it does not interrupt."""
    stop, waits = StopSignal(), []

    class Deaf:
        def acquire(self, timeout=0.0):
            if timeout:
                waits.append(timeout)
                stop._set_at = time.monotonic()
            return False

        def release(self):
            raise RuntimeError

    alone = SimpleNamespace(**vars(threading) | {"Lock": Deaf})  # the locks of all other threads are what they were
    monkeypatch.setattr("service.shutdown.threading", alone)

    assert not stop.wait(3600)
    assert waits == [1.0]
