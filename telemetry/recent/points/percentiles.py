"""Percentiles of a histogram, and buckets of equal number for all histograms."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from telemetry.recent.point_tables import MAX_BUCKETS

STANDARD: Final = (50, 95, 99)


def percentiles(
    buckets: Sequence[float], bounds: Sequence[float], which: Sequence[float] = STANDARD
) -> list[float | None]:
    """Estimate percentiles as Prometheus does: evenly spread within a bucket, at most the highest bound.

    Args:
        buckets: counts, not cumulative; one more than the bounds.
        bounds: upper bounds, ascending, without infinity.
        which: 0 to 100.

    Returns:
        In the unit of the bounds; None for a histogram without measurements, or without bounds.
    """
    total = sum(buckets)
    if total <= 0 or not bounds:
        return [None] * len(which)
    cumulative = list(accumulate(buckets))
    return [_quantile(total * each / 100, buckets, cumulative, bounds) for each in which]


def _quantile(rank: float, buckets: Sequence[float], cumulative: Sequence[float], bounds: Sequence[float]) -> float:
    place = min(bisect_left(cumulative, rank), len(buckets) - 1)
    while place < len(bounds) and not buckets[place]:  # a rank of 0 is in the first bucket that has something
        place += 1
    if place >= len(bounds):
        return bounds[-1]
    lower = bounds[place - 1] if place else min(0.0, bounds[0])
    before = cumulative[place] - buckets[place]
    return lower + (bounds[place] - lower) * (rank - before) / buckets[place]


def few_bounds(bounds: Sequence[float]) -> tuple[float, ...]:
    """At most as many of the bounds as there are buckets for, evenly chosen; always the highest one."""
    finite = [bound for bound in bounds if math.isfinite(bound)]
    most = MAX_BUCKETS - 1
    if len(finite) <= most:
        return tuple(finite)
    return tuple(finite[(number + 1) * len(finite) // most - 1] for number in range(most))
