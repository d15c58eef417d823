"""Objectives: what the service promises, read from `prometheus/objectives.yml` and checked."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

WINDOW: Final = "{{window}}"
BAD: Final = "slo:bad:bool"
_WANTED: Final = frozenset({"name", "objective", "promise"})
_RATES: Final = frozenset({"errors", "total"})
_FIELDS: Final = _WANTED | _RATES | {"by", "bad"}


class ObjectiveError(ValueError):
    """The file says something that is no objective; the message says what, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """`objective` is a percentage. `errors` and `total` are PromQL with `{{window}}` in it, whose ratio is what burns the budget; or `bad`
    is 1 while the promise is not kept, and what burns it is time.
    """

    name: str
    objective: float
    promise: str
    errors: str = ""
    total: str = ""
    bad: str = ""
    by: tuple[str, ...] = ()

    @property
    def budget(self) -> float:
        """The share that may fail: 0.001 of 99.9 %."""
        return round(1 - self.objective / 100, 10)

    def ratio(self, window: str) -> str:
        """The share that failed. Where nothing was asked for, nothing failed."""
        if self.bad:
            return f'avg_over_time({BAD}{{slo="{self.name}"}}[{window}])'
        errors, total = (each.replace(WINDOW, window) for each in (self.errors, self.total))
        return f"(({errors}) / ({total}) >= 0) or (0 * ({total}))"


def read(path: Path) -> list[Objective]:
    """Raises:
    ObjectiveError: see there.
    """
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, list):
        raise ObjectiveError(f"{path.name} is no list of objectives.")
    objectives = [_objective(each) for each in found]
    if len({each.name for each in objectives}) < len(objectives):
        raise ObjectiveError(f"{path.name} has two objectives of one name.")
    return objectives


def _objective(fields: Any) -> Objective:
    name = fields.get("name", "?") if isinstance(fields, dict) else "?"
    if wrong := list(_wrong(fields)):
        raise ObjectiveError(f"Objective {name}: {'; '.join(wrong)}.")
    return Objective(**{**fields, "by": tuple(fields.get("by", ()))})


def _wrong(fields: Any) -> Iterator[str]:
    if not isinstance(fields, dict):
        yield "it is no mapping"
        return
    yield from _wrong_names(fields.keys())
    if not 0 < float(fields.get("objective", 0)) < 100:  # noqa: PLR2004  # percent
        yield "objective must be a percentage between 0 and 100"
    for query in sorted(_RATES & fields.keys()):
        if WINDOW not in str(fields[query]):
            yield f"{query} has no {WINDOW} in it"


def _wrong_names(given: AbstractSet[str]) -> Iterator[str]:
    if missing := (_WANTED if "bad" in given else _WANTED | _RATES) - given:
        yield f"{', '.join(sorted(missing))} is missing"
    if unknown := given - _FIELDS:
        yield f"{', '.join(sorted(unknown))} is unknown"
