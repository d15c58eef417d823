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
from opentelemetry.trace import Link, Status

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
    is_changed = name is not span.name or attributes is not span.attributes or status is not span.status
    if not is_changed and _are_same(events, span.events) and _are_same(links, span.links):
        return span
    return _RedactedSpan(
        span,
        name=name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _are_same(redacted: Sequence[object], original: Sequence[object]) -> bool:
    return all(new is old for new, old in zip(redacted, original, strict=True))


class _RedactedSpan(ReadableSpan):
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
    attributes = _attributes(link.attributes)
    return link if attributes is link.attributes else Link(link.context, attributes)


def _status(status: Status) -> Status:
    description = redact(status.description) if status.description else status.description
    return status if description == status.description else Status(status.status_code, description)


def redacted_record(readable: ReadableLogRecord) -> ReadableLogRecord:
    """The record without secrets: a copy, or the record itself if it has no secret."""
    record = readable.log_record
    body, attributes = redact_value(record.body), _attributes(record.attributes)
    if body is record.body and attributes is record.attributes:
        return readable
    redacted = copy.copy(record)
    redacted.body, redacted.attributes = body, attributes
    return replace(readable, log_record=redacted)
