"""The total: the families of several workers, of those that live and of those that are gone, as one."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from telemetry.metrics.distribution import Number
from telemetry.metrics.families import Family, escape
from telemetry.metrics.snapshot import Snapshot
from telemetry.metrics.vocabulary import Across

_PICK: Final[Mapping[Across, Callable[[Number, Number], Number]]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
    "highest": max,
    "newest": lambda _older, newer: newer,
    "once": lambda _older, newer: newer,
}


def total(living: Iterable[Snapshot], gone: Iterable[Snapshot]) -> list[Family]:
    """Counters and histograms of all; a gauge, as its family says, of those that live, but for what stays true of the gone."""
    families: dict[str, Family] = {}
    alive = sorted(living, key=lambda each: each.at)
    speaker = min((snapshot.worker for snapshot in alive), key=int, default="")
    for snapshot in alive:
        for family in snapshot.families:
            if family.across != "once" or snapshot.worker == speaker:
                _add(families, family, snapshot.worker)
    for snapshot in gone:
        for family in lasting(snapshot.families):
            _add(families, family, snapshot.worker)
    return list(families.values())


def lasting(families: Iterable[Family]) -> list[Family]:
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
        if known := mine.distributions.get(labels):
            known.add(distribution)
        else:
            mine.distributions[labels] = distribution.copy()


def _add_series(mine: Family, other: Family, worker: str) -> None:
    if other.kind == "gauge" and other.across == "worker":
        mine.series.update({_of_worker(labels, worker): value for labels, value in other.series.items()})
        return
    pick = _PICK["sum" if other.kind == "counter" else other.across]
    series = mine.series
    for labels, value in other.series.items():
        series[labels] = pick(series[labels], value) if labels in series else value


def _of_worker(labels: str, worker: str) -> str:
    own = f'worker="{escape(worker)}"'
    return f"{labels},{own}" if labels else own
