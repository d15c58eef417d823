"""Merges the snapshots of several workers, live and dead, into one list of families."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import HistogramValue, Number
from telemetry.metrics.labels import escape, with_pair
from telemetry.metrics.mapping import GaugeMode
from telemetry.metrics.multiprocess.snapshot import Snapshot

_COMBINE: Final[Mapping[GaugeMode, Callable[[Number, Number], Number]]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
    "highest": max,
    "newest": lambda _older, newer: newer,
    "once": lambda _older, newer: newer,
}

_STEPS_PER_UNIT: Final = 2.0**24
_MAX_QUANTIZED: Final = 2.0**29


def merge(live: Iterable[Snapshot], dead: Iterable[Snapshot]) -> list[Family]:
    """Merge snapshots.

    Counters and histograms are summed over all workers. Gauges are combined over the live workers by their `gauge_mode`; of
    dead workers only gauges of mode `highest` count.
    """
    families: dict[tuple[str, ...], Family] = {}
    oldest_first = sorted(live, key=lambda each: each.taken_at)
    first_worker = min((snapshot.worker for snapshot in oldest_first), key=int, default="")
    for snapshot in oldest_first:
        for family in snapshot.families:
            if family.gauge_mode != "once" or snapshot.worker == first_worker:
                _add(families, family, snapshot.worker)
    for snapshot in dead:
        for family in cumulative(snapshot.families):
            _add(families, family, snapshot.worker)
    return list(families.values())


def cumulative(families: Iterable[Family]) -> list[Family]:
    """The families that stay true after their worker's death: all but most gauges."""
    return [family for family in families if family.kind != "gauge" or family.gauge_mode == "highest"]


def _add(families: dict[tuple[str, ...], Family], other: Family, worker: str) -> None:
    """Add a family to the one of the same metric, if there is one. Others that want its name stay: the page names them apart."""
    merged = families.get(other.key)
    if merged is None:
        merged = families[other.key] = other.without_series()
    merged.note_first(other.since, other.scope)
    _add_series(merged, other, worker)
    for labels, histogram in other.histograms.items():
        _add_histogram(merged.histograms, labels, histogram)


def _add_series(merged: Family, other: Family, worker: str) -> None:
    if other.kind == "gauge" and other.gauge_mode == "worker":
        own = f'worker="{escape(worker)}"'
        merged.series.update({with_pair(labels, own): value for labels, value in other.series.items()})
        return
    series = merged.series
    if other.kind == "counter":
        for labels, value in other.series.items():
            series[labels] = series.get(labels, 0) + quantize(value)
        return
    combine = _COMBINE[other.gauge_mode]
    for labels, value in other.series.items():
        series[labels] = combine(series[labels], value) if labels in series else value


def _add_histogram(merged: dict[str, HistogramValue], labels: str, other: HistogramValue) -> None:
    if other.sum != (quantized := quantize(other.sum)):
        other = HistogramValue(other.bounds, other.counts, quantized, other.exemplars)
    if known := merged.get(labels):
        known.merge(other)
    else:
        merged[labels] = other.copy()


def quantize(value: Number) -> Number:
    """Round a float down to a multiple of 2**-24 (60 ns), so that sums of floats are exact in any order.

    Without it, a sum in another order can be smaller in its last digit, and Prometheus takes that for a counter reset. Values
    from 2**29 on have no finer digits, and are left as they are.
    """
    if isinstance(value, float) and abs(value) < _MAX_QUANTIZED:
        return math.floor(value * _STEPS_PER_UNIT) / _STEPS_PER_UNIT
    return value
