"""Families: what the SDK collected, by the names of the vocabulary, ready to be summed and written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps

from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_attribute, sanitize_full_name
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
from telemetry.metrics.vocabulary import VOCABULARY

Point = NumberDataPoint | HistogramDataPoint
OVERFLOW_LABELS = 'otel_metric_overflow="true"'


@dataclass(slots=True)
class Family:
    """One name on the page, and its series by their rendered labels (`method="GET",status="200"`)."""

    name: str
    kind: MetricKind
    help: str
    series: dict[str, Number] = field(default_factory=dict)
    distributions: dict[str, HistogramValue] = field(default_factory=dict)
    across: GaugeMode = "sum"

    def take(self, labels: str, point: Point, *, newest: bool) -> None:
        """Sum a point into its series: points whose labels fall together are one series. A gauge's newest stands."""
        if self.kind == "histogram":
            self._distribute(labels, point)
        else:
            value = point.value if isinstance(point, NumberDataPoint) else point.count
            self.series[labels] = value if newest else self.series.get(labels, 0) + value

    def _distribute(self, labels: str, point: Point) -> None:
        if not isinstance(point, HistogramDataPoint):
            return
        distribution = HistogramValue.of(point)
        if known := self.distributions.get(labels):
            known.add(distribution)
        else:
            self.distributions[labels] = distribution


class MappingReader:
    """Reads the points of one row; a label set is rendered once, and there is a limited number of them."""

    def __init__(self, row: MetricMapping) -> None:
        self.row = row
        self._rendered: dict[frozenset[tuple[str, object]], str | None] = {}
        self._exemplars: dict[str, dict[int, Exemplar]] = {}

    def read(self, metric: Metric, family: Family) -> None:
        newest = isinstance(metric.data, Gauge)
        for point in metric.data.data_points:
            labels = self._labels(point.attributes or {})
            if labels is not None and isinstance(point, NumberDataPoint | HistogramDataPoint):
                family.take(labels, point, newest=newest)
        self._keep_exemplars(family)

    def _keep_exemplars(self, family: Family) -> None:
        """The SDK gives each exemplar once; a bucket's stands until there is another one."""
        kept = self._exemplars
        for labels, distribution in family.distributions.items():
            if distribution.exemplars or labels in kept:
                distribution.remember(kept.get(labels, {}).values())
                kept[labels] = distribution.exemplars

    def _labels(self, attributes: Attributes) -> str | None:
        """None: the row does not want this point."""
        try:
            return self._rendered[key := frozenset(attributes.items())]
        except KeyError:
            return self._rendered.setdefault(key, render(self.row, attributes))
        except TypeError:  # a list is an attribute's value, too
            return render(self.row, attributes)


class Translator:
    """Turns metrics into families by a table of rows; what has no row, by OpenTelemetry's translation."""

    def __init__(self, rows: Sequence[MetricMapping] = VOCABULARY) -> None:
        self._rows = rows
        self._declared: dict[str, list[MappingReader]] = {}
        self._translated: dict[tuple[str, str, MetricKind | None], list[MappingReader]] = {}
        for row in rows:
            self._declared.setdefault(row.source, []).append(MappingReader(row))

    def families(self, metrics: Iterable[Metric]) -> list[Family]:
        """Every declared family is there, also before its first series."""
        families = {row.name: _family(row) for row in self._rows}
        for metric in metrics:
            for reader in self._readers_of(metric):
                row = reader.row
                family = families.setdefault(row.name, _family(row))
                if family.kind == row.kind:  # two kinds can't share a name: the first stands
                    reader.read(metric, family)
        return list(families.values())

    def _readers_of(self, metric: Metric) -> list[MappingReader]:
        if declared := self._declared.get(metric.name):
            return declared
        key = (metric.name, metric.unit or "", _kind(metric))
        if key not in self._translated:
            self._translated[key] = [MappingReader(row) for row in _translation(metric)]
        return self._translated[key]


def _family(row: MetricMapping) -> Family:
    return Family(row.name, row.kind, row.help, across=row.across)


def render(row: MetricMapping, attributes: Attributes) -> str | None:
    if semconv.OVERFLOW in attributes:
        return OVERFLOW_LABELS
    if row.select is not None and not row.select(attributes):
        return None
    if row.labels is None:
        return pairs(translated_labels(attributes))
    return pairs({label.name: label.value(attributes) for label in row.labels})


def pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{escape(value)}"' for name, value in labels.items())


def escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def translated_labels(attributes: Attributes) -> dict[str, str]:
    """Attributes as OpenTelemetry translates them: names that Prometheus allows, values as JSON where they are no text."""
    return {
        sanitize_attribute(key): value if isinstance(value, str) else dumps(value, default=str)
        for key, value in sorted(attributes.items())
    }


def _translation(metric: Metric) -> list[MetricMapping]:
    """OpenTelemetry's own translation of a metric that the table does not name."""
    kind = _kind(metric)
    if kind is None:
        return []
    name, unit = sanitize_full_name(metric.name), map_unit(metric.unit or "")
    if kind == "counter":
        name = name.removesuffix("_total")
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    if kind == "counter":
        name = f"{name}_total"
    described = metric.description or f"OpenTelemetry instrument {metric.name}."
    across: GaugeMode = "newest" if isinstance(metric.data, Gauge) else "sum"
    return [MetricMapping(name, kind, metric.name, described, labels=None, across=across)]


def _kind(metric: Metric) -> MetricKind | None:
    """None for what the text format cannot show: an exponential histogram would break the whole page."""
    match metric.data:
        case Sum(is_monotonic=True):
            return "counter"
        case Sum() | Gauge():
            return "gauge"
        case Histogram():
            return "histogram"
    return None
