import asyncio
import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from telemetry.profiling.profiled_spans import PROFILE_ID, ProfiledSpans


class Tags:
    """The tags of each thread, as the SDK keeps them."""

    def __init__(self):
        self.of = {}

    def add(self, name, value):
        self.of.setdefault(threading.get_ident(), set()).add((name, value))

    def remove(self, name, value):
        self.of[threading.get_ident()].discard((name, value))

    @property
    def here(self):
        return dict(self.of.get(threading.get_ident(), ()))


@pytest.fixture
def tags():
    return Tags()


@pytest.fixture
def tracer(tags):
    provider = TracerProvider()
    provider.add_span_processor(ProfiledSpans(tags.add, tags.remove))
    yield provider.get_tracer("test")
    provider.shutdown()


def id_of(span):
    return f"{span.get_span_context().span_id:016x}"


def test_the_samples_of_a_root_span_have_its_id_until_it_ends(tracer, tags):
    with tracer.start_as_current_span("job sync") as span:
        during = tags.here
        with tracer.start_as_current_span("SELECT"):
            assert tags.here == during

    assert during == {"span_id": id_of(span), "span_name": "job sync"}
    assert span.attributes == {PROFILE_ID: id_of(span)}
    assert tags.here == {}


def test_a_span_whose_parent_is_of_another_service_is_a_root(tracer, tags):
    parent = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))

    with tracer.start_as_current_span("run", context=set_span_in_context(parent)) as span:
        assert tags.here["span_id"] == id_of(span)


def test_a_span_on_an_event_loop_has_none_since_others_share_its_thread(tracer, tags):
    async def serve():
        with tracer.start_as_current_span("GET /") as span:
            return span

    span = asyncio.run(serve())

    assert tags.of == {}
    assert PROFILE_ID not in span.attributes


def test_tags_of_a_span_that_ended_in_another_thread_do_not_stay(tracer, tags):
    span = tracer.start_span("first")
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join()

    with tracer.start_as_current_span("second") as second:
        assert tags.here == {"span_id": id_of(second), "span_name": "second"}


def test_tags_that_cannot_be_set_do_not_reach_the_instrumented_code():
    def fail(_name, _value):
        raise RuntimeError("the SDK has stopped")

    provider = TracerProvider()
    provider.add_span_processor(ProfiledSpans(fail, fail))

    with provider.get_tracer("test").start_as_current_span("job") as span:
        pass

    assert span.end_time is not None
