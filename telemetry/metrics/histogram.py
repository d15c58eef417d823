"""HistogramValue: a histogram's counts and exemplars, which can be added to those of another process."""

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.trace import format_span_id, format_trace_id

Number = int | float


class Exemplar(NamedTuple):
    """One measurement of a sampled trace; `at` is Unix seconds."""

    trace_id: str
    span_id: str
    value: float
    at: float


@dataclass(slots=True)
class HistogramValue:
    """Counts by bucket (not cumulative, one more than the bounds), the sum of what was recorded, an exemplar by bucket."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: Number
    exemplars: dict[int, Exemplar] = field(default_factory=dict)

    @classmethod
    def of(cls, point: HistogramDataPoint) -> Self:
        made = cls(tuple(point.explicit_bounds), list(point.bucket_counts), point.sum)
        if point.exemplars:
            made.remember(_exemplars(point.exemplars))
        return made

    def add(self, other: "HistogramValue") -> None:
        """Where the bounds differ, those that both have remain, and what is counted below them is true."""
        bounds = self.bounds if self.bounds == other.bounds else tuple(sorted({*self.bounds} & {*other.bounds}))
        pairs_of_counts = zip(self.counted_by(bounds), other.counted_by(bounds), strict=True)
        self.counts = [mine + theirs for mine, theirs in pairs_of_counts]
        known = [*self.exemplars.values(), *other.exemplars.values()]
        if self.bounds != bounds:
            self.bounds, self.exemplars = bounds, {}
        self.sum += other.sum
        self.remember(known)

    def counted_by(self, bounds: tuple[float, ...]) -> list[int]:
        """The counts by fewer bounds."""
        if bounds == self.bounds:
            return self.counts
        counts = [0] * (len(bounds) + 1)
        for upper, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            counts[bisect_left(bounds, upper)] += count
        return counts

    def remember(self, exemplars: Iterable[Exemplar]) -> None:
        """The newest of each bucket."""
        for exemplar in exemplars:
            bucket = bisect_left(self.bounds, exemplar.value)
            known = self.exemplars.get(bucket)
            if known is None or known.at <= exemplar.at:
                self.exemplars[bucket] = exemplar

    def copy(self) -> "HistogramValue":
        return HistogramValue(self.bounds, self.counts.copy(), self.sum, self.exemplars.copy())


def _exemplars(found: Iterable[Any]) -> list[Exemplar]:
    return [
        Exemplar(
            format_trace_id(each.trace_id),
            format_span_id(each.span_id),
            each.value,
            each.time_unix_nano / 1_000_000_000,
        )
        for each in found
        if each.trace_id and each.span_id
    ]
