import logging
import threading
import time

import pytest

from telemetry.sdk.shutdown import MAX_CONCURRENT_STEPS, ShutdownThreads


@pytest.fixture
def hung():
    """A step that does not return before the test has ended."""
    released = threading.Event()
    before = set(threading.enumerate())
    yield lambda: released.wait(20)
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)


def test_a_step_that_is_done_in_time_is_not_late(caplog):
    done = []

    late = ShutdownThreads().run({"traces": lambda: done.append("traces"), "logs": lambda: done.append("logs")}, 5)

    assert late == []
    assert sorted(done) == ["logs", "traces"]
    assert not caplog.records


def test_steps_run_at_once():
    meeting = threading.Barrier(3)

    late = ShutdownThreads().run({name: lambda: meeting.wait(5) for name in ("traces", "metrics", "logs")}, 5)

    assert late == []
    assert not meeting.broken


def test_a_step_that_hangs_does_not_take_the_time_of_the_others(hung, caplog):
    done = threading.Event()
    started = time.monotonic()

    late = ShutdownThreads().run({"traces": hung, "metrics": done.set, "logs": hung}, 0.2)

    assert 0.2 <= time.monotonic() - started < 4
    assert late == ["traces", "logs"]
    assert done.is_set()
    [warning] = caplog.records
    assert warning.getMessage() == "Not flushed within 0.2 s: traces, logs."


def test_a_step_that_fails_is_logged_and_does_not_stop_the_others(caplog):
    done = threading.Event()

    def fails():
        raise ConnectionError("refused")

    late = ShutdownThreads().run({"traces": fails, "logs": done.set}, 5)

    assert late == []
    assert done.is_set()
    [warning] = caplog.records
    assert (warning.levelno, warning.getMessage()) == (logging.WARNING, "Flushing traces failed.")
    assert "refused" in caplog.text


def test_the_deadline_may_be_over(hung):
    assert ShutdownThreads().run({"traces": hung}, 0) == ["traces"]
    assert ShutdownThreads().run({"traces": hung}, -1) == ["traces"]


def test_there_may_be_no_steps():
    assert ShutdownThreads().run({}, 5) == []


def test_the_threads_are_there_before_the_shutdown_and_none_is_started_by_it(monkeypatch):
    threads, done = ShutdownThreads(), []
    monkeypatch.setattr(threading.Thread, "start", _refuse_to_start)

    late = threads.run({name: lambda: done.append(1) for name in ("traces", "metrics", "logs")}, 5)

    assert late == []
    assert done == [1, 1, 1]


def test_more_steps_than_threads_are_run_all_the_same():
    done = []

    late = ShutdownThreads(1).run({str(number): lambda: done.append(1) for number in range(20)}, 5)

    assert late == []
    assert len(done) == 20


def test_threads_that_could_not_be_started_are_started_when_they_are_needed(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _refuse_to_start)
        threads = ShutdownThreads()
    done = threading.Event()

    assert threads.run({"traces": done.set}, 5) == []
    assert done.is_set()


def test_without_any_thread_everything_is_late_at_once(monkeypatch, caplog):
    monkeypatch.setattr(threading.Thread, "start", _refuse_to_start)

    late = ShutdownThreads().run({"traces": lambda: None, "logs": lambda: None}, 60)

    assert late == ["traces", "logs"]
    assert [record.getMessage() for record in caplog.records] == ["Not flushed within 60.0 s: traces, logs."]


def test_a_second_shutdown_does_nothing(caplog):
    done, threads = [], ShutdownThreads()
    steps = {"traces": lambda: done.append("traces")}

    assert [threads.run(steps, 5), threads.run(steps, 60)] == [[], []]
    assert done == ["traces"]
    assert not caplog.records


def test_the_threads_end_with_the_shutdown():
    before = set(threading.enumerate())
    threads = ShutdownThreads()
    waiting = set(threading.enumerate()) - before

    threads.run({"traces": lambda: None}, 5)

    for thread in waiting:
        thread.join(5)
    assert len(waiting) == MAX_CONCURRENT_STEPS
    assert not any(thread.is_alive() for thread in waiting)


def _refuse_to_start(_thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")
