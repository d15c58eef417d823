"""Calls in daemon threads."""

import threading

import pytest

from telemetry.threads import daemon_executor
from telemetry.threads.daemon_executor import DaemonExecutor


def test_a_call_has_the_result_or_the_error_of_its_function():
    executor = DaemonExecutor(2, "test")

    assert executor.submit(lambda number, *, more: number + more, 1, more=2).result(60) == 3
    with pytest.raises(ZeroDivisionError):
        executor.submit(lambda: 1 / 0).result(60)


def test_a_few_threads_make_all_calls_in_order_and_end():
    executor, end, begun = DaemonExecutor(3, "test"), threading.Event(), []

    def work(number):
        begun.append((number, threading.current_thread()))
        end.wait(60)
        return number

    calls = [executor.submit(work, number) for number in range(20)]
    end.set()

    assert [call.result(60) for call in calls] == list(range(20))
    threads = {thread for _, thread in begun}
    for thread in threads:
        thread.join(60)
    assert len(threads) <= 3
    assert all(thread.daemon and not thread.is_alive() for thread in threads)
    assert executor.submit(work, 42).result(60) == 42


def test_a_call_that_was_cancelled_is_not_made():
    executor, end, made = DaemonExecutor(1, "test"), threading.Event(), []
    first = executor.submit(end.wait, 60)
    second = executor.submit(made.append, "second")

    assert second.cancel()
    end.set()
    first.result(60)
    executor.submit(made.append, "third").result(60)

    assert made == ["third"]


def test_where_no_thread_can_be_started_the_caller_is_told(monkeypatch):
    monkeypatch.setattr(daemon_executor, "start_daemon", lambda _run, _name: None)

    with pytest.raises(RuntimeError, match="no thread can be started"):
        DaemonExecutor(2, "test").submit(print)
