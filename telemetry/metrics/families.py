"""Metric families: the SDK's data translated to Prometheus names by the mapping table, ready to merge and encode."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from typing import Final

from opentelemetry.sdk.metrics.export import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.metrics.family_names import FamilyNames
from telemetry.metrics.histogram import Exemplar, HistogramValue, Number
from telemetry.metrics.labels import OVERFLOW_LABELS, label_value, pairs, say_once_if_shared, translated_labels
from telemetry.metrics.mapping import Attributes, GaugeMode, MetricKind, MetricMapping
from telemetry.metrics.prometheus_names import metric_name, unit_suffix
from telemetry.metrics.vocabulary import VOCABULARY

Point = NumberDataPoint | HistogramDataPoint
_POINTS: Final = (NumberDataPoint, HistogramDataPoint)
_NO_ATTRIBUTES: Final[Mapping[str, object]] = {}
_MAX_RENDERED: Final = 100_000
"""Attribute sets of one mapping whose labels are kept: more than all limits together allow."""


@dataclass(slots=True)
class Family:
    """One metric of `/metrics`; its series are keyed by their rendered labels (`method="GET",status="200"`)."""

    name: str
    kind: MetricKind
    help: str
    series: dict[str, Number] = field(default_factory=dict)
    histograms: dict[str, HistogramValue] = field(default_factory=dict)
    gauge_mode: GaugeMode = "sum"

    def add_point(self, labels: str, point: Point, *, replace: bool) -> None:
        """Add a point to its series, which points with equal labels share.

        Args:
            replace: replaces the series' value instead of adding to it, as for a gauge.
        """
        if self.kind == "histogram":
            self._add_histogram(labels, point)
        else:
            value = point.value if isinstance(point, NumberDataPoint) else point.count
            self.series[labels] = value if replace else self.series.get(labels, 0) + value

    def _add_histogram(self, labels: str, point: Point) -> None:
        if not isinstance(point, HistogramDataPoint):
            return
        histogram = HistogramValue.from_point(point)
        if known := self.histograms.get(labels):
            known.merge(histogram)
        else:
            self.histograms[labels] = histogram


class MappingReader:
    """Reads the points of one mapping. It keeps the rendered labels of attribute sets, up to a limit."""

    def __init__(self, mapping: MetricMapping, scope: str = "") -> None:
        self.mapping = mapping
        self._scope = scope
        self._rendered: dict[int, tuple[Attributes, str | None]] = {}
        self._exemplars: dict[str, dict[int, Exemplar]] = {}

    def read(self, metric: Metric, family: Family) -> None:
        is_gauge = isinstance(metric.data, Gauge)
        for point in metric.data.data_points:
            attributes = point.attributes or _NO_ATTRIBUTES
            known = self._rendered.get(id(attributes))
            labels = known[1] if known and known[0] is attributes else self._render(attributes)
            if labels is not None and isinstance(point, _POINTS):
                if is_gauge and labels in family.series and self.mapping.labels is None:
                    labels = self._distinct(attributes, family.series)
                family.add_point(labels, point, replace=is_gauge)
        self._keep_exemplars(family)

    def _keep_exemplars(self, family: Family) -> None:
        """The SDK reports each exemplar once; a bucket keeps its exemplar until there is a newer one."""
        kept = self._exemplars
        for labels, histogram in family.histograms.items():
            if histogram.exemplars or labels in kept:
                histogram.add_exemplars(kept.get(labels, {}).values())
                kept[labels] = histogram.exemplars

    def _render(self, attributes: Attributes) -> str | None:
        """Render labels and keep them: the SDK hands out the same attributes each time. None if the point is not selected."""
        if len(self._rendered) >= _MAX_RENDERED:
            self._rendered.clear()
        labels = render(self.mapping, attributes)
        self._rendered[id(attributes)] = (attributes, labels)
        return labels

    def _distinct(self, attributes: Attributes, taken: Container[str]) -> str:
        """The labels of a gauge whose usual ones another point has: with its scope, and its attributes or a number if need be."""
        labels = translated_labels(attributes) | {"otel_scope_name": self._scope}
        whole = labels | {"otel_attributes": label_value(dict(attributes))}
        candidates = chain([labels, whole], (whole | {"otel_duplicate": str(number)} for number in count(2)))
        return next(text for each in candidates if (text := pairs(each)) not in taken)


class Translator:
    """Translates metrics to families by a mapping table; an instrument without a mapping by OpenTelemetry's rules."""

    def __init__(self, mappings: Sequence[MetricMapping] = VOCABULARY) -> None:
        self._mappings = mappings
        self._names = FamilyNames()
        self._mapped: dict[str, list[MappingReader]] = {}
        self._unmapped: dict[tuple[str, str, str, MetricKind | None], list[MappingReader]] = {}
        for mapping in mappings:
            self._names.reserve(mapping.name, mapping.kind, mapping.name)
            self._mapped.setdefault(mapping.source, []).append(MappingReader(mapping))

    def renewed(self) -> "Translator":
        """A translator with the same table and the same names that keeps no attributes of this one's."""
        translator = Translator(self._mappings)
        translator._names = self._names
        return translator

    def translate(self, metrics: Iterable[Metric], scope: str = "") -> list[Family]:
        """Translate metrics. Every family of the table is in the result, also before its first series."""
        return self.translate_scopes([(scope, metrics)])

    def translate_scopes(self, scopes: Iterable[tuple[str, Iterable[Metric]]]) -> list[Family]:
        """Translate the metrics of several scopes. One that cannot be translated costs none of the others."""
        families = {mapping.name: _family(mapping) for mapping in self._mappings}
        read = failsafe(self._read)
        for scope, metrics in scopes:
            for metric in metrics:
                read(metric, scope, families)
        return list(families.values())

    def _read(self, metric: Metric, scope: str, families: dict[str, Family]) -> None:
        for reader in self._readers(metric, scope):
            mapping = reader.mapping
            family = families.setdefault(mapping.name, _family(mapping))
            if family.kind == mapping.kind:  # of two mappings of one name that differ in kind, the first one wins
                reader.read(metric, family)

    def _readers(self, metric: Metric, scope: str) -> list[MappingReader]:
        if mapped := self._mapped.get(metric.name):
            return mapped
        key = (scope, metric.name, metric.unit or "", _kind(metric))
        if key not in self._unmapped:
            mappings = [self._named(mapping, scope) for mapping in _default_mapping(metric)]
            self._unmapped[key] = [MappingReader(mapping, scope) for mapping in mappings]
        return self._unmapped[key]

    def _named(self, mapping: MetricMapping, scope: str) -> MetricMapping:
        """The mapping under a name of its own. One instrument has one name in all scopes."""
        owner = (mapping.source, mapping.kind)  # a tuple: never one of the table, whose owner is its name
        return replace(mapping, name=self._names.find(mapping.name, mapping.kind, owner, scope))


def _family(mapping: MetricMapping) -> Family:
    return Family(mapping.name, mapping.kind, mapping.help, gauge_mode=mapping.gauge_mode)


def render(mapping: MetricMapping, attributes: Attributes) -> str | None:
    """The labels of a point as text; None if the mapping does not select the point."""
    if semconv.METRIC_OVERFLOW in attributes:
        return OVERFLOW_LABELS
    if mapping.select is not None and not mapping.select(attributes):
        return None
    if mapping.labels is None:
        labels = translated_labels(attributes, has_buckets=mapping.kind == "histogram")
        say_once_if_shared(mapping.source, attributes, labels)
        return pairs(labels)
    return pairs({label.name: label.value(attributes) for label in mapping.labels})


def _default_mapping(metric: Metric) -> list[MetricMapping]:
    """The mapping by OpenTelemetry's rules, of a metric that is not in the table; none for an unsupported kind."""
    kind = _kind(metric)
    if kind is None:
        return []
    name, unit = metric_name(metric.name), unit_suffix(metric.unit or "")
    if kind == "counter":
        name = name.removesuffix("_total")
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    if kind == "counter":
        name = f"{name}_total"
    description = metric.description or f"OpenTelemetry instrument {metric.name}."
    gauge_mode: GaugeMode = "newest" if isinstance(metric.data, Gauge) else "sum"
    return [MetricMapping(name, kind, metric.name, description, labels=None, gauge_mode=gauge_mode)]


def _kind(metric: Metric) -> MetricKind | None:
    """None for what the text format cannot show: an exponential histogram would break the whole scrape."""
    match metric.data:
        case Sum(is_monotonic=True):
            return "counter"
        case Sum() | Gauge():
            return "gauge"
        case Histogram():
            return "histogram"
    return None
