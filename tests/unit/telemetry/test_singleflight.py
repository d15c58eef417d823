import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace

from telemetry.singleflight import SingleFlight


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_landing_is_shared_until_it_is_stale():
    calls = iter(range(10))
    clock = Clock()
    singleflight = SingleFlight("test", lambda: next(calls), share_for=2.0, clock=clock)

    first = singleflight.call().future.result(5)
    clock.now += 1.9
    shared = singleflight.call().future.result(5)
    clock.now += 0.1
    second = singleflight.call().future.result(5)

    assert (first, shared, second) == (0, 0, 1)


def test_a_call_that_hangs_never_gets_a_second_thread(hang):
    calls = []
    clock = Clock()
    singleflight = SingleFlight("test", lambda: (calls.append(1), hang()), clock=clock)

    shared_calls = []
    for _ in range(5):
        shared_calls.append(singleflight.call())
        clock.now += 100

    assert len({id(call) for call in shared_calls}) == 1
    assert len(calls) <= 1
    assert [thread.name for thread in threading.enumerate()].count("test") == 1


def test_many_threads_board_one_flight(hang):
    singleflight = SingleFlight("test", hang)

    with ThreadPoolExecutor(8) as pool:
        shared_calls = list(pool.map(lambda _: singleflight.call(), range(200)))

    assert len({id(call) for call in shared_calls}) == 1


def test_who_waits_is_given_the_error():
    def broken() -> None:
        raise LookupError("gone")

    future = SingleFlight("test", broken).call().future

    with pytest.raises(LookupError, match="gone"):
        future.result(5)


def test_a_landing_cannot_be_cancelled_by_one_of_those_who_wait(hang):
    future = SingleFlight("test", hang).call().future

    assert not future.cancel()


def test_a_machine_without_threads_left_is_an_error_and_not_a_crash(monkeypatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    future = SingleFlight("test", lambda: None).call().future

    with pytest.raises(RuntimeError, match="new thread"):
        future.result(0)


def test_while_the_interpreter_ends_the_caller_makes_the_call_itself(monkeypatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(threading.main_thread(), "is_alive", lambda: False)
    before = trace.get_current_span()

    future = SingleFlight("test", lambda: "answered").call().future

    assert future.result(0) == "answered"
    assert trace.get_current_span() is before


def test_what_a_flight_asks_for_is_no_trace_of_its_own():
    span = SingleFlight("test", lambda: trace.get_current_span().get_span_context()).call().future.result(5)

    assert span.is_valid
    assert not span.trace_flags.sampled
