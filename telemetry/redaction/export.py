"""Export: exporters that hand on spans and log records as the policy lets them out. It runs where exporting runs, not in the work."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from telemetry.redaction.policy import redact, redact_attributes, redact_value


class RedactedSpans(SpanExporter):
    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([redacted_span(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


class RedactedLogs(LogRecordExporter):
    def __init__(self, inner: LogRecordExporter) -> None:
        self._inner = inner

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        return self._inner.export([redacted_record(record) for record in batch])

    def shutdown(self) -> None:
        self._inner.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._inner.force_flush(timeout_millis))


def redacted_span(span: ReadableSpan) -> ReadableSpan:
    """A copy, with name, attributes, events, links and status as they may be seen; what is dropped is still counted."""
    return _Copy(
        span,
        name=redact(span.name),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes),
        events=[Event(redact(each.name), _attributes(each.attributes), each.timestamp) for each in span.events],
        links=[Link(each.context, _attributes(each.attributes)) for each in span.links],
        kind=span.kind,
        status=_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class _Copy(ReadableSpan):
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


def _status(status: Status) -> Status:
    return Status(status.status_code, redact(status.description)) if status.description else status


def redacted_record(readable: ReadableLogRecord) -> ReadableLogRecord:
    record = readable.log_record
    body, attributes = redact_value(record.body), _attributes(record.attributes)
    if body is record.body and attributes is record.attributes:
        return readable
    shown = copy.copy(record)
    shown.body, shown.attributes = body, attributes
    return replace(readable, log_record=shown)
