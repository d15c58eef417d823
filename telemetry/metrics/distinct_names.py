"""Names the families of a page apart, and the series of a gauge. No other place gives names: workers would disagree."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from telemetry.metrics.families import Family
from telemetry.metrics.family_names import RESERVED, FamilyNames
from telemetry.metrics.labels import without_identities
from telemetry.metrics.mapping import MetricKind
from telemetry.metrics.vocabulary import VOCABULARY

_CONTRACT: Final = frozenset((mapping.name, mapping.kind) for mapping in VOCABULARY)
_RANKS: Final[dict[MetricKind, int]] = {"counter": 0, "histogram": 1, "gauge": 2}


def with_distinct_names(families: Iterable[Family]) -> list[Family]:
    """The families in their order, none of which has a sample with the name of another's, and no series twice.

    Which one keeps its name does not depend on their order, which changes from page to page, nor on the worker that makes the
    page: one of the contract, then the one that any worker has shown first, then a counter, a histogram, a gauge, then the
    one whose instrument has the name, then the first by the instrument's name. So no series becomes another's later.
    """
    listed = list(families)
    names = FamilyNames()
    found: dict[int, str] = {}
    for family in sorted(listed, key=_rank):
        if family.source:
            names.hold_reserved()
        found[id(family)] = names.find(family.name, family.kind, family.key, family.scope)
    return [_named(family, found[id(family)]) for family in listed]


def _rank(family: Family) -> tuple[Any, ...]:
    is_own = (family.name, family.kind) in _CONTRACT or family.name in RESERVED
    is_exact = family.source == family.name.removesuffix("_total")
    return bool(family.source), not is_own, family.since, _RANKS[family.kind], not is_exact, family.key


def _named(family: Family, name: str) -> Family:
    if family.kind == "gauge":
        return replace(family, name=name, series=without_identities(family.series))
    return family if name == family.name else replace(family, name=name)
