"""Scales: from values to positions, and the round numbers on an axis."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps the values from `low` to `high` to positions from `start` to `end`. What lies outside is put on the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = 0.0 if span <= 0 else min(1.0, max(0.0, (value - self.low) / span))
        return round(self.start + share * (self.end - self.start), 1)


def round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10, … that is not smaller: the end of an axis. 1 for what is no positive number."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(value))
    return next(step * magnitude for step in (*_STEPS, 20) if step * magnitude >= value * (1 - 1e-9))


def highest(rows: Iterable[Sequence[float | None]]) -> float:
    """The highest of all values; 0 where there are none."""
    return max((value for row in rows for value in row if value is not None and math.isfinite(value)), default=0.0)


def runs(values: Sequence[float | None]) -> list[tuple[int, int]]:
    """The ranges (first, end) of indexes with values: between them is a gap, which no line crosses."""
    found: list[tuple[int, int]] = []
    start: int | None = None
    for index, value in enumerate([*values, None]):
        if value is not None and start is None:
            start = index
        elif value is None and start is not None:
            found.append((start, index))
            start = None
    return found
