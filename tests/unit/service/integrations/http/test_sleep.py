import threading
import time

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.integrations.http.sleep import InstrumentedSleep
from service.shutdown import ShutdownRequested, StopSignal


class Waited(list):
    """What was told of each wait: the service, the reason, the seconds."""

    def __call__(self, *about):
        self.append(about)


@pytest.fixture
def stop_signal():
    return StopSignal()


@pytest.fixture
def waited():
    return Waited()


@pytest.fixture
def wait(stop_signal, waited):
    return InstrumentedSleep(stop_signal, waited).for_service("wb")


def test_a_wait_is_seen_in_the_span_of_what_waits_before_it_is_over(stop_signal, waited):
    exporter, seen = InMemorySpanExporter(), []
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))

    class Watched(StopSignal):
        def wait(self, seconds):
            seen.extend(trace.get_current_span().events)
            return True

    with tracers.get_tracer("tests").start_as_current_span("sync"):
        InstrumentedSleep(Watched(), waited).for_service("ozon")(90, "backoff")

    [span] = exporter.get_finished_spans()
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("wait", {"service": "ozon", "reason": "backoff", "seconds": 90})
    ]
    assert [event.name for event in seen] == ["wait"]


def test_a_wait_that_was_cut_short_is_counted_as_long_as_it_was(stop_signal, waited, wait):
    threading.Timer(0.05, stop_signal.set).start()
    began = time.monotonic()

    with pytest.raises(ShutdownRequested, match=r"^the service stops while this waits for wb$"):
        wait(60, "pace")

    took = time.monotonic() - began
    [(service, reason, seconds)] = waited
    assert (service, reason) == ("wb", "pace")
    assert 0.04 <= seconds <= took < 10


def test_a_service_that_was_told_to_stop_waits_for_nothing_any_more(stop_signal, waited, wait):
    stop_signal.set()
    began = time.monotonic()

    for _ in range(3):
        with pytest.raises(ShutdownRequested):
            wait(60, "backoff")

    assert time.monotonic() - began < 10
    assert len(waited) == 3


def test_the_wait_of_a_request_is_not_cut_short_since_the_server_responses_it_before_it_stops(stop_signal, waited):
    stop_signal.set()

    InstrumentedSleep(stop_signal, waited).until_answered().for_service("wb")(0.01, "pace")

    assert waited == [("wb", "pace", 0.01)]


def test_several_that_wait_are_all_let_go_at_once(stop_signal, waited):
    ended = []

    def work():
        with pytest.raises(ShutdownRequested):
            InstrumentedSleep(stop_signal, waited).for_service("ozon")(60, "pace")
        ended.append(True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    stop_signal.set()
    for thread in threads:
        thread.join(10)

    assert ended == [True] * 4
