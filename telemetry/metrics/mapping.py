"""The types of the mapping table: which name an OpenTelemetry instrument and its attributes have on `/metrics`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MetricKind = Literal["counter", "gauge", "histogram"]
GaugeMode = Literal["sum", "max", "min", "newest", "highest", "once", "worker"]
"""How a gauge's values of several workers are combined; counters and histograms are always summed.

Over the live workers: `sum`, `max`, `min`, `newest` (of the latest snapshot), `once` (of one worker, for all), `worker` (one
series for each, by the label `worker`). `highest` is the maximum over all workers, dead ones included.
"""
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """One label of a metric.

    Attributes:
        attribute: the attribute that the value comes from.
        default: the value if the attribute is missing.
        compute: computes the value from all attributes, instead of `attribute`.
    """

    name: str
    attribute: str
    default: str = ""
    compute: Callable[[Attributes], str] | None = None

    def value(self, attributes: Attributes) -> str:
        if self.compute is not None:
            return self.compute(attributes)
        return str(attributes.get(self.attribute, self.default))


@dataclass(frozen=True, slots=True)
class MetricMapping:
    """One metric family of `/metrics`. A counter with a histogram as its source is the histogram's count.

    Attributes:
        source: the name of the OpenTelemetry instrument.
        labels: None takes every attribute, with its name translated.
        select: takes only the points for whose attributes it returns True.
        gauge_mode: for gauges only.
    """

    name: str
    kind: MetricKind
    source: str
    help: str
    labels: tuple[LabelMapping, ...] | None = ()
    select: Callable[[Attributes], bool] | None = None
    gauge_mode: GaugeMode = "sum"
