"""Names families of several workers apart: workers may disagree about the kind of a metric, and a page may not."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from telemetry.metrics.families import Family
from telemetry.metrics.family_names import RESERVED, FamilyNames
from telemetry.metrics.mapping import MetricKind
from telemetry.metrics.vocabulary import VOCABULARY

_CONTRACT: Final = frozenset((mapping.name, mapping.kind) for mapping in VOCABULARY)
_RANKS: Final[dict[MetricKind, int]] = {"counter": 0, "histogram": 1, "gauge": 2}


def with_distinct_names(families: Iterable[Family]) -> list[Family]:
    """The families in their order, none of which has a sample with the name of another's.

    Which one keeps its name does not depend on their order, which changes from page to page: one of the contract, then a
    counter, a histogram, a gauge.
    """
    listed = list(families)
    names = FamilyNames(reserved=())
    found = {
        id(family): names.find(family.name, family.kind, (family.name, family.kind))
        for family in sorted(listed, key=_rank)
    }
    return [
        family if found[id(family)] == family.name else replace(family, name=found[id(family)]) for family in listed
    ]


def _rank(family: Family) -> tuple[bool, int, str]:
    is_own = (family.name, family.kind) in _CONTRACT or family.name in RESERVED
    return not is_own, _RANKS[family.kind], family.name
