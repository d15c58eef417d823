"""The figures of a soak, each with its limit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import linear_regression, median
from typing import Final

_GROUP_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Figure:
    """Something that was measured. `holds` is None if it is said for information."""

    name: str
    value: str
    limit: str = ""
    holds: bool | None = None

    def line(self) -> str:
        mark = {True: "ok  ", False: "FAIL", None: "    "}[self.holds]
        return f"{mark} {self.name:<62} {self.value:>18}  {self.limit}"


@dataclass
class Table:
    """All figures, and what is to be looked at when one does not hold."""

    figures: list[Figure] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def say(self, name: str, value: object) -> None:
        self.figures.append(Figure(name, _text(value)))

    def at_most(self, name: str, value: float, limit: float, details: Iterable[object] = ()) -> None:
        """An infinite limit is none: the machine was too busy with other things."""
        if math.isinf(limit):
            self.figures.append(Figure(name, _text(value), "not judged: the machine was busy with other things"))
        else:
            self._judge(Figure(name, _text(value), f"at most {limit:g}", value <= limit), details)

    def at_least(self, name: str, value: float, limit: float, details: Iterable[object] = ()) -> None:
        self._judge(Figure(name, _text(value), f"at least {limit:g}", value >= limit), details)

    def slope(self, name: str, points: Sequence[tuple[float, float]], tolerance: float) -> None:
        """The change a minute, of points in seconds. Only growth is a leak."""
        if (found := slope_per_minute(points)) is None:
            self.say(name, "too short")
        else:
            self._judge(Figure(name, f"{found:+.3f} a minute", f"at most {tolerance:g}", found <= tolerance), ())

    def _judge(self, figure: Figure, details: Iterable[object]) -> None:
        self.figures.append(figure)
        if not figure.holds:
            self.details += [f"{figure.name}: {each}" for each in list(details)[:20]]

    @property
    def holds(self) -> bool:
        return all(figure.holds is not False for figure in self.figures)

    def __str__(self) -> str:
        """What does not hold is repeated at the end, which is all that a long log may keep."""
        failed = [figure.line() for figure in self.figures if figure.holds is False]
        return "\n".join([*(figure.line() for figure in self.figures), *self.details, *failed])


def slope_per_minute(points: Sequence[tuple[float, float]]) -> float | None:
    """Of the medians of each half minute, so that a moment does not count; None for less than three of them."""
    groups: dict[int, list[tuple[float, float]]] = {}
    for at, value in points:
        groups.setdefault(int(at // _GROUP_SECONDS), []).append((at, value))
    if len(groups) < 3:
        return None
    seconds = [median(at for at, _ in group) for group in groups.values()]
    values = [median(value for _, value in group) for group in groups.values()]
    return linear_regression(seconds, values).slope * 60


def percentile(values: Sequence[float], share: float) -> float:
    found = sorted(values)
    return found[min(len(found) - 1, int(share * len(found)))] if found else 0.0


def is_near(moment: float, moments: Iterable[float], before: float, after: float) -> bool:
    """Whether a moment is from `before` seconds before one of the others to `after` seconds after it."""
    return any(-before <= moment - each <= after for each in moments)


def _text(value: object) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
