"""Metric families: the SDK's data translated to Prometheus names by the mapping table, ready to merge and encode."""

import math
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from telemetry.metrics.histogram import Exemplar, HistogramValue, Number
from telemetry.metrics.labels import OVERFLOW_LABELS, pairs, say_once_if_shared, translated_labels, with_identity
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
    """One metric of `/metrics`, under the name that it would like to have: `distinct_names` gives the names.

    Attributes:
        series: by their rendered labels (`method="GET",status="200"`), with an identity behind them where gauges may share these.
        source: the instrument without a mapping that it comes from; "" for what has a mapping, or is of the service itself.
        since: when a process has shown it first, by the monotonic clock, which all processes of a machine share.
        scope: the scope of the instrument that was shown first.
    """

    name: str
    kind: MetricKind
    help: str
    series: dict[str, Number] = field(default_factory=dict)
    histograms: dict[str, HistogramValue] = field(default_factory=dict)
    gauge_mode: GaugeMode = "sum"
    source: str = ""
    since: float = 0.0
    scope: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What is one metric in all workers: its sums are added, whatever its name is on the page."""
        return self.name, self.kind, self.source, self.gauge_mode if self.source else ""

    def without_series(self) -> "Family":
        return replace(self, series={}, histograms={})

    def note_first(self, since: float, scope: str) -> None:
        """Take time and scope of another part of this metric if that was shown before."""
        self.since, self.scope = min((self.since, self.scope), (since, scope))

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
    """Reads the points of one mapping. It keeps the rendered labels of attribute sets, up to a limit.

    Attributes:
        slot: tells its family from the others: the name of a mapping in the table, else what is one metric.
    """

    def __init__(self, mapping: MetricMapping, empty: Family, unit: str = "") -> None:
        self.mapping = mapping
        self.slot: Hashable = empty.key if empty.source else mapping.name
        self._empty = empty
        self._unit = unit
        self._rendered: dict[int, tuple[Attributes, str | None]] = {}
        self._exemplars: dict[str, dict[int, Exemplar]] = {}

    def family(self, families: dict[Hashable, Family]) -> Family:
        """The family among those so far, which instruments of several scopes may share."""
        family = families.get(self.slot)
        if family is None:
            family = families[self.slot] = self._empty.without_series()
        family.note_first(self._empty.since, self._empty.scope)
        return family

    def read(self, metric: Metric, family: Family) -> None:
        is_gauge = isinstance(metric.data, Gauge)
        for point in metric.data.data_points:
            attributes = point.attributes or _NO_ATTRIBUTES
            known = self._rendered.get(id(attributes))
            labels = known[1] if known and known[0] is attributes else self._render(attributes, is_gauge=is_gauge)
            if labels is not None and isinstance(point, _POINTS):
                family.add_point(labels, point, replace=is_gauge)
        self._keep_exemplars(family)

    def _keep_exemplars(self, family: Family) -> None:
        """The SDK reports each exemplar once; a bucket keeps its exemplar until there is a newer one."""
        kept = self._exemplars
        for labels, histogram in family.histograms.items():
            if histogram.exemplars or labels in kept:
                histogram.add_exemplars(kept.get(labels, {}).values())
                kept[labels] = histogram.exemplars

    def _render(self, attributes: Attributes, *, is_gauge: bool) -> str | None:
        """Render labels and keep them: the SDK hands out the same attributes each time. None if the point is not selected."""
        if len(self._rendered) >= _MAX_RENDERED:
            self._rendered.clear()
        labels = render(self.mapping, attributes)
        if is_gauge and labels is not None and self.mapping.labels is None:
            labels = with_identity(labels, self._empty.scope, self._unit, attributes)
        self._rendered[id(attributes)] = (attributes, labels)
        return labels


class Translator:
    """Translates metrics to families by a mapping table; an instrument without a mapping by OpenTelemetry's rules."""

    def __init__(
        self, mappings: Sequence[MetricMapping] = VOCABULARY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mappings = mappings
        self._clock = clock
        self._mapped: dict[str, list[MappingReader]] = {}
        self._unmapped: dict[tuple[str, str, str, str], list[MappingReader]] = {}
        for mapping in mappings:
            self._mapped.setdefault(mapping.source, []).append(MappingReader(mapping, _family(mapping)))

    def renewed(self) -> "Translator":
        """A translator with the same table, for the metrics of a dead process: nobody knows when that has shown them first."""
        return Translator(self._mappings, lambda: math.inf)

    def translate(self, metrics: Iterable[Metric], scope: str = "") -> list[Family]:
        """Translate metrics. Every family of the table is in the result, also before its first series."""
        return self.translate_scopes([(scope, metrics)])

    def translate_scopes(self, scopes: Iterable[tuple[str, Iterable[Metric]]]) -> list[Family]:
        """Translate the metrics of several scopes. One that cannot be translated costs none of the others."""
        families: dict[Hashable, Family] = {mapping.name: _family(mapping) for mapping in self._mappings}
        now = self._clock()
        read = failsafe(self._read)
        for scope, metrics in scopes:
            for metric in metrics:
                read(metric, scope, families, now)
        return list(families.values())

    def _read(self, metric: Metric, scope: str, families: dict[Hashable, Family], now: float) -> None:
        for reader in self._readers(metric, scope, now):
            family = reader.family(families)
            if (
                family.kind == reader.mapping.kind
            ):  # of two mappings of one name that differ in kind, the first one wins
                reader.read(metric, family)

    def _readers(self, metric: Metric, scope: str, now: float) -> list[MappingReader]:
        if mapped := self._mapped.get(metric.name):
            return mapped
        unit = metric.unit or ""
        key = (scope, metric.name, unit, type(metric.data).__name__ + str(_kind(metric)))
        if key not in self._unmapped:
            self._unmapped[key] = [
                MappingReader(mapping, replace(_family(mapping), source=mapping.source, since=now, scope=scope), unit)
                for mapping in _default_mapping(metric)
            ]
        return self._unmapped[key]


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
