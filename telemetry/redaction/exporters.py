"""Exporters that redact spans and log records before they pass them on.

They run in the exporting thread, so redaction costs the instrumented code nothing.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from telemetry.compatibility.unstable_api import LogRecordExporter, LogRecordExportResult, ReadableLogRecord
from telemetry.redaction.policy import redact, redact_attributes, redact_value


def redacted_resource(resource: Resource) -> Resource:
    """The resource without secrets: people write `OTEL_RESOURCE_ATTRIBUTES`, and every signal carries it."""
    attributes = redact_attributes(resource.attributes)
    return resource if attributes is resource.attributes else Resource(attributes, resource.schema_url)


class RedactingSpanExporter(SpanExporter):
    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([redacted_span(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


class RedactingLogExporter(LogRecordExporter):
    def __init__(self, inner: LogRecordExporter) -> None:
        self._inner = inner

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return self._inner.export([redacted_record(record) for record in batch])

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._inner.force_flush(timeout_millis))


def redacted_span(span: ReadableSpan) -> ReadableSpan:
    """The span without secrets: a copy that keeps the numbers of dropped items, or the span itself if it has no secret."""
    name, attributes, status = redact_value(span.name), _attributes(span.attributes), _status(span.status)
    events, links = [_event(each) for each in span.events], [_link(each) for each in span.links]
    context, parent, scope = _context(span.context), _context(span.parent), _scope(span.instrumentation_scope)
    new = (name, attributes, status, context, parent, scope, *events, *links)
    parts = (span.context, span.parent, span.instrumentation_scope)
    if _are_same(new, (span.name, span.attributes, span.status, *parts, *span.events, *span.links)):
        return span
    return SpanCopy(
        span,
        name=name,
        context=context,
        parent=parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _are_same(redacted: Sequence[object], original: Sequence[object]) -> bool:
    return all(new is old for new, old in zip(redacted, original, strict=True))


class SpanCopy(ReadableSpan):
    """A span with other fields. It keeps the numbers of what the limits of the original dropped."""

    def __init__(self, original: ReadableSpan, **fields: Any) -> None:
        super().__init__(**fields)
        self._original = original

    @property
    def dropped_attributes(self) -> int:
        return self._original.dropped_attributes

    @property
    def dropped_events(self) -> int:
        return self._original.dropped_events

    @property
    def dropped_links(self) -> int:
        return self._original.dropped_links


def _attributes(attributes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return redact_attributes(attributes) if attributes else attributes


def _event(event: Event) -> Event:
    name, attributes = redact_value(event.name), _attributes(event.attributes)
    is_unchanged = name is event.name and attributes is event.attributes
    return event if is_unchanged else Event(name, attributes, event.timestamp)


def _link(link: Link) -> Link:
    context, attributes = _context(link.context), _attributes(link.attributes)
    is_unchanged = attributes is link.attributes and context is link.context
    return link if is_unchanged else Link(context or link.context, attributes)


def _context(context: SpanContext | None) -> SpanContext | None:
    """The context without the entries of the trace state that hold a secret: others send that, in a header."""
    state = redacted_trace_state(context.trace_state) if context is not None and context.trace_state else None
    if context is None or state is None or state is context.trace_state:
        return context
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags, state)


def redacted_trace_state(state: TraceState) -> TraceState:
    """The trace state without the entries that hold a secret: a replacement would not be valid in it."""
    kept = [(key, value) for key, value in state.items() if redact_value(key) is key and redact_value(value) is value]
    return state if len(kept) == len(state) else TraceState(kept)


def _scope(scope: InstrumentationScope | None) -> InstrumentationScope | None:
    if scope is None:
        return None
    name, version, attributes = redact_value(scope.name), redact_value(scope.version), _attributes(scope.attributes)
    is_unchanged = name is scope.name and version is scope.version and attributes is scope.attributes
    return scope if is_unchanged else InstrumentationScope(name, version, scope.schema_url, attributes)


def _status(status: Status) -> Status:
    description = redact(status.description) if status.description else status.description
    return status if description == status.description else Status(status.status_code, description)


def redacted_record(readable: ReadableLogRecord) -> ReadableLogRecord:
    """The record without secrets: a copy, or the record itself if it has no secret."""
    record = readable.log_record
    body, attributes, scope = (
        redact_value(record.body),
        _attributes(record.attributes),
        _scope(readable.instrumentation_scope),
    )
    severity, event = redact_value(record.severity_text), redact_value(record.event_name)
    old = (record.body, record.attributes, record.severity_text, record.event_name, readable.instrumentation_scope)
    if _are_same((body, attributes, severity, event, scope), old):
        return readable
    redacted = copy.copy(record)
    redacted.body, redacted.attributes, redacted.severity_text, redacted.event_name = body, attributes, severity, event
    return replace(readable, log_record=redacted, instrumentation_scope=scope)
