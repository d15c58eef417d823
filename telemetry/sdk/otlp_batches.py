"""Batches of spans, log records and metrics as OTLP can carry them: one bad value costs that value, and not its batch."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, Status

from telemetry.compatibility.unstable_api import ReadableLogRecord
from telemetry.redaction.exporters import SpanCopy
from telemetry.sdk.otlp_values import TYPE, OtlpValues

_IDS: Final = {"trace_id": 2**128, "span_id": 2**64, "trace_flags": 2**8}
_FIELDS: Final = ("body", "attributes", "severity_text", "event_name", "timestamp", "observed_timestamp", *_IDS)


class Batches:
    """Prepares the batches of one signal. It remembers the last resource: nearly all items share it."""

    def __init__(self, queue: str) -> None:
        self._values = OtlpValues(queue)
        self._resources: tuple[Any, Any] = (None, None)

    def spans(self, spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
        return self._each(self._span, spans)

    def records(self, records: Sequence[ReadableLogRecord]) -> list[ReadableLogRecord]:
        return self._each(self._record, records)

    def metrics(self, data: MetricsData) -> MetricsData:
        return MetricsData(self._each(self._resource_metrics, data.resource_metrics))

    def _each(self, prepare: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """The items prepared, without those that cannot be, which are counted."""
        prepared = []
        for item in items:
            try:
                prepared.append(prepare(item))
            except Exception:  # noqa: BLE001  # an item of a foreign type: it costs itself alone
                self._values.count(TYPE)
        return prepared

    def _span(self, span: ReadableSpan) -> ReadableSpan:
        values, events, links = self._values, span.events, span.links
        old = {
            "name": span.name,
            "attributes": span.attributes,
            "status": span.status,
            "kind": span.kind,
            "start_time": span.start_time,
            "end_time": span.end_time,
            "instrumentation_scope": span.instrumentation_scope,
            "resource": span.resource,
        }
        new: dict[str, Any] = {
            "name": values.text(old["name"]),
            "attributes": values.attributes(old["attributes"]),
            "status": self._status(span.status),
            "kind": self._kind(old["kind"]),
            "start_time": values.time(old["start_time"]),
            "end_time": values.time(old["end_time"]),
            "instrumentation_scope": self._scope(span.instrumentation_scope),
            "resource": self._resource(span.resource),
        }
        new_events, new_links = [self._event(each) for each in events], [self._link(each) for each in links]
        if _are_same([*new.values(), *new_events, *new_links], [*old.values(), *events, *links]):
            return span
        return SpanCopy(span, context=span.context, parent=span.parent, events=new_events, links=new_links, **new)

    def _status(self, status: Status) -> Status:
        description = self._values.text(status.description)
        return status if description is status.description else Status(status.status_code, description)

    def _kind(self, kind: Any) -> SpanKind:
        if isinstance(kind, SpanKind):
            return kind
        self._values.count(TYPE)
        return SpanKind.INTERNAL

    def _event(self, event: Event) -> Event:
        old = name, attributes, timestamp = event.name, event.attributes, event.timestamp
        new = (self._values.text(name), self._values.attributes(attributes), self._values.time(timestamp))
        return event if _are_same(new, old) else Event(*new)

    def _link(self, link: Link) -> Link:
        attributes = self._values.attributes(old := link.attributes)
        return link if attributes is old else Link(link.context, attributes)

    def _scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        if scope is None:
            return None
        old = (scope.name, scope.version, scope.schema_url, scope.attributes)
        new = (*(self._values.text(each) for each in old[:3]), self._values.attributes(old[3]))
        return scope if _are_same(new, old) else InstrumentationScope(*new)

    def _resource(self, resource: Resource) -> Resource:
        known, prepared = self._resources
        if known is not resource:
            old = resource.attributes, resource.schema_url
            attributes, url = self._values.attributes(old[0]), self._values.text(old[1])
            is_same = _are_same((attributes, url), old)
            prepared = resource if is_same else Resource(attributes, url)
            self._resources = (resource, prepared)
        return prepared  # type: ignore[no-any-return]

    def _record(self, readable: ReadableLogRecord) -> ReadableLogRecord:
        record, values = readable.log_record, self._values
        old = {name: getattr(record, name) for name in _FIELDS}
        new = {
            "body": values.value(old["body"]),
            "attributes": values.attributes(old["attributes"]),
            "severity_text": values.text(old["severity_text"]),
            "event_name": values.text(old["event_name"]),
            "timestamp": values.time(old["timestamp"]),
            "observed_timestamp": values.time(old["observed_timestamp"]),
            **{name: self._id(old[name], end) for name, end in _IDS.items()},
        }
        scope, resource = self._scope(readable.instrumentation_scope), self._resource(readable.resource)
        outside = (readable.instrumentation_scope, readable.resource)
        if _are_same([*new.values(), scope, resource], [*old.values(), *outside]):
            return readable
        prepared = copy.copy(record)
        for name, value in new.items():
            setattr(prepared, name, value)
        return replace(readable, log_record=prepared, instrumentation_scope=scope, resource=resource)

    def _id(self, value: Any, end: int) -> int:
        """An identifier, or 0 for what is none."""
        if isinstance(value, int) and 0 <= value < end:
            return value
        self._values.count(TYPE)
        return 0

    def _resource_metrics(self, each: ResourceMetrics) -> ResourceMetrics:
        scopes = self._each(self._scope_metrics, each.scope_metrics)
        return replace(
            each,
            resource=self._resource(each.resource),
            scope_metrics=scopes,
            schema_url=self._values.text(each.schema_url),
        )

    def _scope_metrics(self, each: ScopeMetrics) -> ScopeMetrics:
        metrics, scope = self._each(self._metric, each.metrics), self._scope(each.scope) or each.scope
        return replace(each, scope=scope, metrics=metrics, schema_url=self._values.text(each.schema_url))

    def _metric(self, metric: Metric) -> Metric:
        name, description, unit = map(self._values.text, (metric.name, metric.description, metric.unit))
        data: Any = metric.data
        points = self._each(self._point, data.data_points)
        if _are_same((name, description, unit, *points), (*_texts(metric), *data.data_points)):
            return metric
        return Metric(name, description, unit, replace(data, data_points=points))

    def _point(self, point: Any) -> Any:
        names = [name for name in ("value", "sum", "min", "max") if hasattr(point, name)]
        new = {name: self._values.number(getattr(point, name)) for name in names}
        new["attributes"] = self._values.attributes(point.attributes)
        exemplars = [self._exemplar(each) for each in point.exemplars]
        if not _are_same(exemplars, point.exemplars):
            new["exemplars"] = exemplars
        return point if all(each is getattr(point, name) for name, each in new.items()) else replace(point, **new)

    def _exemplar(self, exemplar: Any) -> Any:
        value = self._values.number(exemplar.value)
        attributes = self._values.attributes(exemplar.filtered_attributes)
        is_same = value is exemplar.value and attributes is exemplar.filtered_attributes
        return exemplar if is_same else replace(exemplar, value=value, filtered_attributes=attributes)


def _texts(metric: Metric) -> tuple[Any, Any, Any]:
    return metric.name, metric.description, metric.unit


def _are_same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))


_PREPARE: Final[dict[str, Callable[[Batches], Callable[[Any], Any]]]] = {
    "TRACES": lambda batches: batches.spans,
    "METRICS": lambda batches: batches.metrics,
    "LOGS": lambda batches: batches.records,
}
_QUEUES: Final = {"TRACES": "spans", "METRICS": "metrics", "LOGS": "logs"}


def with_prepared_batches(exporter: Any, signal: str) -> Any:
    """The class of an exporter, of any protocol, that prepares each batch of its signal before it encodes it."""
    prepare = _PREPARE[signal](Batches(_QUEUES[signal]))

    def export(self: Any, batch: Any, *args: Any, **kwargs: Any) -> Any:
        return exporter.export(self, prepare(batch), *args, **kwargs)

    return type(exporter.__name__, (exporter,), {"export": export, "__module__": exporter.__module__})
