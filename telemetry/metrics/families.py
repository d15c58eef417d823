"""Metric families: the SDK's data translated to Prometheus names by the mapping table, ready to merge and encode."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps

from opentelemetry.sdk.metrics.export import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from telemetry import semconv
from telemetry.metrics.histogram import Exemplar, HistogramValue, Number
from telemetry.metrics.mapping import Attributes, GaugeMode, MetricKind, MetricMapping
from telemetry.metrics.prometheus_names import label_name, metric_name, unit_suffix
from telemetry.metrics.vocabulary import VOCABULARY

Point = NumberDataPoint | HistogramDataPoint
OVERFLOW_LABELS = 'otel_metric_overflow="true"'


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
    """Reads the points of one mapping. It keeps the rendered labels of each attribute set, whose number is limited."""

    def __init__(self, mapping: MetricMapping) -> None:
        self.mapping = mapping
        self._rendered: dict[frozenset[tuple[str, object]], str | None] = {}
        self._exemplars: dict[str, dict[int, Exemplar]] = {}

    def read(self, metric: Metric, family: Family) -> None:
        replace = isinstance(metric.data, Gauge)
        for point in metric.data.data_points:
            labels = self._labels(point.attributes or {})
            if labels is not None and isinstance(point, NumberDataPoint | HistogramDataPoint):
                family.add_point(labels, point, replace=replace)
        self._keep_exemplars(family)

    def _keep_exemplars(self, family: Family) -> None:
        """The SDK reports each exemplar once; a bucket keeps its exemplar until there is a newer one."""
        kept = self._exemplars
        for labels, histogram in family.histograms.items():
            if histogram.exemplars or labels in kept:
                histogram.add_exemplars(kept.get(labels, {}).values())
                kept[labels] = histogram.exemplars

    def _labels(self, attributes: Attributes) -> str | None:
        """None if the mapping does not select this point."""
        try:
            return self._rendered[key := frozenset(attributes.items())]
        except KeyError:
            return self._rendered.setdefault(key, render(self.mapping, attributes))
        except TypeError:  # an attribute's value may be a list
            return render(self.mapping, attributes)


class Translator:
    """Translates metrics to families by a mapping table; an instrument without a mapping by OpenTelemetry's rules."""

    def __init__(self, mappings: Sequence[MetricMapping] = VOCABULARY) -> None:
        self._mappings = mappings
        self._mapped: dict[str, list[MappingReader]] = {}
        self._unmapped: dict[tuple[str, str, MetricKind | None], list[MappingReader]] = {}
        for mapping in mappings:
            self._mapped.setdefault(mapping.source, []).append(MappingReader(mapping))

    def renewed(self) -> "Translator":
        """A translator with the same table that has seen nothing yet."""
        return Translator(self._mappings)

    def translate(self, metrics: Iterable[Metric]) -> list[Family]:
        """Translate metrics. Every family of the table is in the result, also before its first series."""
        families = {mapping.name: _family(mapping) for mapping in self._mappings}
        for metric in metrics:
            for reader in self._readers(metric):
                mapping = reader.mapping
                family = families.setdefault(mapping.name, _family(mapping))
                if family.kind == mapping.kind:  # two kinds cannot share a name: the first one wins
                    reader.read(metric, family)
        return list(families.values())

    def _readers(self, metric: Metric) -> list[MappingReader]:
        if mapped := self._mapped.get(metric.name):
            return mapped
        key = (metric.name, metric.unit or "", _kind(metric))
        if key not in self._unmapped:
            self._unmapped[key] = [MappingReader(mapping) for mapping in _default_mapping(metric)]
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
        return pairs(translated_labels(attributes))
    return pairs({label.name: label.value(attributes) for label in mapping.labels})


def pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{escape(value)}"' for name, value in labels.items())


def escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def translated_labels(attributes: Attributes) -> dict[str, str]:
    """Labels by OpenTelemetry's rules: names that Prometheus allows; values that are no text, as JSON."""
    return {
        label_name(key): value if isinstance(value, str) else dumps(value, default=str)
        for key, value in sorted(attributes.items())
    }


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
