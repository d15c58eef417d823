"""Rows: what a table of names is made of, which says how an instrument and its attributes are called on `/metrics`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MetricKind = Literal["counter", "gauge", "histogram"]
GaugeMode = Literal["sum", "max", "min", "newest", "highest", "once", "worker"]
"""What a gauge is for several workers: of those that live the sum, the largest, the smallest or the latest; the highest that
any ever said; what one says for all; or a series for each (label `worker`). Counters and histograms are always summed."""
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """A label, the attribute it is made from, and what it says where the attribute is missing."""

    name: str
    attribute: str
    missing: str = ""
    read: Callable[[Attributes], str] | None = None

    def value(self, attributes: Attributes) -> str:
        if self.read is not None:
            return self.read(attributes)
        return str(attributes.get(self.attribute, self.missing))


@dataclass(frozen=True, slots=True)
class MetricMapping:
    """One family of `/metrics`. A counter made from a histogram is the histogram's count.

    `labels=None` takes every attribute as it is; `select` leaves out the points that it refuses; `across` is for gauges.
    """

    name: str
    kind: MetricKind
    source: str
    help: str
    labels: tuple[LabelMapping, ...] | None = ()
    select: Callable[[Attributes], bool] | None = None
    across: GaugeMode = "sum"
