from contextlib import suppress

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from telemetry.redaction.exporters import RedactingLogExporter, RedactingSpanExporter, redacted_resource

TOKEN = "7712345678:AAF-canary_Canary-canary_CANARY-1a2b"


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans):
    provider = TracerProvider(shutdown_on_exit=False, span_limits=SpanLimits(max_span_attributes=2))
    provider.add_span_processor(SimpleSpanProcessor(RedactingSpanExporter(spans)))
    yield provider.get_tracer("test", "1")
    provider.shutdown()


def test_a_spans_name_attributes_events_links_and_status_are_as_they_may_be_seen(tracer, spans):
    with tracer.start_as_current_span("before") as before:
        pass
    links = [Link(before.get_span_context(), {"password": "abc"})]
    url = {"url.full": f"https://api.telegram.org/bot{TOKEN}/x?key=abc"}
    with suppress(ValueError), tracer.start_as_current_span(f"POST {TOKEN}", None, SpanKind.CLIENT, url, links) as span:
        raise ValueError(f"{TOKEN} refused")

    [_, redacted] = spans.get_finished_spans()
    assert TOKEN not in redacted.to_json()
    assert redacted.attributes == {
        "url.full": "https://api.telegram.org/bot[hidden bot token …1a2b]/x?key=[hidden key]"
    }
    assert redacted.links[0].attributes == {"password": "[hidden password]"}
    assert redacted.status.description == "ValueError: [hidden bot token …1a2b] refused"
    assert redacted.events[0].attributes["exception.message"] == "[hidden bot token …1a2b] refused"
    assert (redacted.kind, redacted.instrumentation_scope.name) == (SpanKind.CLIENT, "test")
    assert redacted.get_span_context().trace_id == span.get_span_context().trace_id
    assert (redacted.start_time, redacted.end_time) == (span.start_time, span.end_time)


def test_the_numbers_of_dropped_items_of_a_span_are_kept(tracer, spans):
    with tracer.start_as_current_span("many") as span:
        span.set_attributes({f"a{number}": number for number in range(5)})
        span.set_status(Status(StatusCode.OK))

    [redacted] = spans.get_finished_spans()
    assert (redacted.dropped_attributes, redacted.dropped_events, redacted.dropped_links) == (3, 0, 0)


def test_what_a_resource_says_of_itself_is_as_it_may_be_seen():
    resource = Resource({"service.name": "shop", "deploy.token": "abc"})

    assert dict(redacted_resource(resource).attributes) == {"service.name": "shop", "deploy.token": "[hidden token]"}
    assert redacted_resource(Resource({"a": "b"})).attributes == {"a": "b"}


def test_a_log_records_body_and_attributes_are_as_they_may_be_seen():
    inner = InMemoryLogRecordExporter()
    original = LogRecord(body=f"{TOKEN} refused", attributes={"password": "abc", "n": 1}, timestamp=1)

    RedactingLogExporter(inner).export([ReadableLogRecord(original, Resource.get_empty())])

    [redacted] = [each.log_record for each in inner.get_finished_logs()]
    assert (redacted.body, dict(redacted.attributes)) == (
        "[hidden bot token …1a2b] refused",
        {"password": "[hidden password]", "n": 1},
    )
    assert original.body == f"{TOKEN} refused"


def test_a_log_record_with_nothing_to_hide_is_handed_on_as_it_is():
    inner = InMemoryLogRecordExporter()
    record = ReadableLogRecord(LogRecord(body="fine", attributes={"n": 1}), Resource.get_empty())

    RedactingLogExporter(inner).export([record])

    assert inner.get_finished_logs()[0] is record
