"""The total: the families of several workers, of those that live and of those that are gone, as one."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from telemetry.metrics.families import Family, escape
from telemetry.metrics.histogram import HistogramValue, Number
from telemetry.metrics.mapping import GaugeMode
from telemetry.metrics.multiprocess.snapshot import Snapshot

_PICK: Final[Mapping[GaugeMode, Callable[[Number, Number], Number]]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
    "highest": max,
    "newest": lambda _older, newer: newer,
    "once": lambda _older, newer: newer,
}

_GRAIN: Final = 2.0**24
_WHOLE: Final = 2.0**29


def merge(living: Iterable[Snapshot], gone: Iterable[Snapshot]) -> list[Family]:
    """Counters and histograms of all; a gauge, as its family says, of those that live, but for what stays true of the gone."""
    families: dict[str, Family] = {}
    alive = sorted(living, key=lambda each: each.at)
    speaker = min((snapshot.worker for snapshot in alive), key=int, default="")
    for snapshot in alive:
        for family in snapshot.families:
            if family.across != "once" or snapshot.worker == speaker:
                _add(families, family, snapshot.worker)
    for snapshot in gone:
        for family in cumulative(snapshot.families):
            _add(families, family, snapshot.worker)
    return list(families.values())


def cumulative(families: Iterable[Family]) -> list[Family]:
    """What is still true of a worker that is gone."""
    return [family for family in families if family.kind != "gauge" or family.across == "highest"]


def _add(families: dict[str, Family], other: Family, worker: str) -> None:
    mine = families.get(other.name)
    if mine is None:
        mine = families[other.name] = Family(other.name, other.kind, other.help, across=other.across)
    if mine.kind != other.kind:
        return  # two versions of the service, during a deployment: the first stands
    _add_series(mine, other, worker)
    for labels, distribution in other.distributions.items():
        _add_distribution(mine.distributions, labels, distribution)


def _add_series(mine: Family, other: Family, worker: str) -> None:
    if other.kind == "gauge" and other.across == "worker":
        mine.series.update({_of_worker(labels, worker): value for labels, value in other.series.items()})
        return
    series = mine.series
    if other.kind == "counter":
        for labels, value in other.series.items():
            series[labels] = series.get(labels, 0) + exact(value)
        return
    pick = _PICK[other.across]
    for labels, value in other.series.items():
        series[labels] = pick(series[labels], value) if labels in series else value


def _add_distribution(mine: dict[str, HistogramValue], labels: str, other: HistogramValue) -> None:
    if other.sum != (rounded := exact(other.sum)):
        other = HistogramValue(other.bounds, other.counts, rounded, other.exemplars)
    if known := mine.get(labels):
        known.add(other)
    else:
        mine[labels] = other.copy()


def exact(value: Number) -> Number:
    """Rounded down to a grain of 60 ns, of which floats give exact sums: the same in whatever order, with an archive or without.

    Otherwise a sum that is made in another order than before falls by its last digit, which is a counter that fell. What is as
    large as 2**29 has no finer digits anyhow.
    """
    return math.floor(value * _GRAIN) / _GRAIN if isinstance(value, float) and abs(value) < _WHOLE else value


def _of_worker(labels: str, worker: str) -> str:
    own = f'worker="{escape(worker)}"'
    return f"{labels},{own}" if labels else own
