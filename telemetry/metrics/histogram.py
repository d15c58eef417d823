"""A histogram's value: counts, sum and exemplars, which can be merged with those of another process."""

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.trace import format_span_id, format_trace_id

Number = int | float


class Exemplar(NamedTuple):
    """One measurement of a sampled trace; `timestamp` is in Unix seconds."""

    trace_id: str
    span_id: str
    value: float
    timestamp: float


@dataclass(slots=True)
class HistogramValue:
    """The value of one series.

    Attributes:
        bounds: the buckets' upper bounds, without infinity.
        counts: by bucket, not cumulative; one more than the bounds.
        exemplars: the newest one of each bucket, by the bucket's index.
    """

    bounds: tuple[float, ...]
    counts: list[int]
    sum: Number
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    @classmethod
    def from_point(cls, point: HistogramDataPoint) -> Self:
        """The value of one of the SDK's data points."""
        value = cls(tuple(point.explicit_bounds), list(point.bucket_counts), point.sum)
        if point.exemplars:
            value.add_exemplars(_exemplars(point.exemplars))
        return value

    def merge(self, other: "HistogramValue") -> None:
        """Add another histogram. Of different bounds only the common ones remain, with correct counts."""
        bounds = self.bounds if self.bounds == other.bounds else tuple(sorted({*self.bounds} & {*other.bounds}))
        pairs_of_counts = zip(self.rebucketed(bounds), other.rebucketed(bounds), strict=True)
        self.counts = [mine + theirs for mine, theirs in pairs_of_counts]
        exemplars = [*self.exemplars.values(), *other.exemplars.values()]
        if self.bounds != bounds:
            self.bounds, self.exemplars = bounds, {}
        self.sum += other.sum
        self.add_exemplars(exemplars)

    def rebucketed(self, bounds: tuple[float, ...]) -> list[int]:
        """The counts for a subset of the bounds."""
        if bounds == self.bounds:
            return self.counts
        counts = [0] * (len(bounds) + 1)
        for upper, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            counts[bisect_left(bounds, upper)] += count
        return counts

    def add_exemplars(self, exemplars: Iterable[Exemplar]) -> None:
        """Add exemplars; each bucket keeps its newest."""
        for exemplar in exemplars:
            bucket = bisect_left(self.bounds, exemplar.value)
            known = self.exemplars.get(bucket)
            if known is None or known.timestamp <= exemplar.timestamp:
                self.exemplars[bucket] = exemplar

    def copy(self) -> "HistogramValue":
        return HistogramValue(self.bounds, self.counts.copy(), self.sum, self.exemplars.copy())


def _exemplars(sdk_exemplars: Iterable[Any]) -> list[Exemplar]:
    return [
        Exemplar(
            format_trace_id(each.trace_id),
            format_span_id(each.span_id),
            each.value,
            each.time_unix_nano / 1_000_000_000,
        )
        for each in sdk_exemplars
        if each.trace_id and each.span_id
    ]
