"""What queries find: totals of series, and their points over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add

from telemetry.metrics.histogram import HistogramValue
from telemetry.recent.points.percentiles import STANDARD, percentiles

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SeriesTotal:
    """What was counted in a window.

    Attributes:
        labels: those that were asked for.
        value: of a counter; of a histogram the number of measurements.
        sum: of a histogram's measurements, in its unit.
        buckets: of a histogram, not cumulative; empty if they were not asked for.
        bounds: of its buckets, without infinity.
    """

    labels: Labels
    value: float
    sum: float = 0.0
    buckets: tuple[int, ...] = ()
    bounds: tuple[float, ...] = ()

    def percentiles(self, which: Sequence[float] = STANDARD) -> list[float | None]:
        """In the unit of the bounds; None without measurements."""
        return percentiles(self.buckets, self.bounds, which)

    def plus(self, other: "SeriesTotal") -> "SeriesTotal":
        """Both together, with these labels. Of different bounds the common ones remain."""
        value, total = self.value + other.value, self.sum + other.sum
        if not self.buckets or not other.buckets:
            return SeriesTotal(self.labels, value, total)
        if self.bounds == other.bounds:
            return SeriesTotal(self.labels, value, total, tuple(map(add, self.buckets, other.buckets)), self.bounds)
        histogram = HistogramValue(self.bounds, [*self.buckets], self.sum)
        histogram.merge(HistogramValue(other.bounds, [*other.buckets], other.sum))
        return SeriesTotal(self.labels, value, total, tuple(histogram.counts), histogram.bounds)

    @property
    def mean(self) -> float | None:
        return self.sum / self.value if self.value else None


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """What was counted over time.

    Attributes:
        labels: those that were asked for.
        times: the ends of the steps, in Unix seconds; the last one may not have ended yet.
        values: what was counted in each step, or a percentile; None where there is no sample, because the service was down.
        step: seconds; more than asked for, where such short intervals are not kept any more.
        seconds: how many seconds of each step there are samples of.
    """

    labels: Labels
    times: tuple[int, ...]
    values: tuple[float | None, ...]
    step: int
    seconds: tuple[float, ...] = ()

    @property
    def rates(self) -> tuple[float | None, ...]:
        """Per second, also of a step that has not ended yet."""
        return tuple(
            None if value is None else value / seconds for value, seconds in zip(self.values, self.seconds, strict=True)
        )
