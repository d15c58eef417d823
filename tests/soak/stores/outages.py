"""Kills programs at random and starts them again, and keeps when each was unavailable."""

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

LOOK_SECONDS: Final = 0.25
READY_WITHIN: Final = 240.0
"""Seconds in which a program is ready, however busy the machine is; beyond them it hangs."""
_LONG_RUN: Final = 20 * 60.0


class Killable(Protocol):
    """A program that is killed and started again."""

    def kill(self) -> None: ...
    def launch(self) -> None: ...
    def is_ready(self) -> bool: ...


@dataclass(frozen=True)
class Outage:
    """By the wall clock, as the timestamps of samples are: from the kill until the program is ready."""

    began: float
    ended: float


@dataclass(frozen=True)
class Spans:
    """How long a program runs and is away, in seconds. An hour has more and longer outages than two minutes.

    `gap` is how long a series may have no sample beside outages; its samples are five seconds apart. Within two minutes there are no
    outages so long that this could tell more than that a series has ended, and the machine may be busy.
    """

    up: tuple[float, float]
    away: Sequence[tuple[float, float]]
    gap: float

    @classmethod
    def of(cls, seconds: float) -> "Spans":
        if seconds < _LONG_RUN:
            return cls((5.0, 25.0), ((0.0, 2.0), (5.0, 25.0)), gap=90.0)
        return cls((0.5, 150.0), ((0.0, 3.0), (3.0, 30.0), (30.0, 180.0)), gap=30.0)


@dataclass
class Outages:
    """One program and its outages; `follow` makes the next change when it is due."""

    name: str
    program: Killable
    chance: random.Random
    spans: Spans
    made: list[Outage] = field(default_factory=list)
    kills: int = 0
    _began: float | None = None
    _is_launched: bool = True
    _due: float = 0.0

    def __post_init__(self) -> None:
        self._due = time.monotonic() + self.chance.uniform(*self.spans.up)

    @property
    def is_away(self) -> bool:
        return self._began is not None

    def follow(self) -> None:
        if self._is_launched and self._began is not None and self.program.is_ready():
            self.made.append(Outage(self._began, time.time()))
            self._began = None
        if time.monotonic() >= self._due:
            self._kill() if self._is_launched else self._launch()

    def _kill(self) -> None:
        """Also while it starts: then its outage goes on."""
        self._began = self._began or time.time()
        self.program.kill()
        self.kills += 1
        self._is_launched = False
        self._due = time.monotonic() + self.chance.uniform(*self.chance.choice(self.spans.away))

    def _launch(self) -> None:
        self.program.launch()
        self._is_launched = True
        self._due = time.monotonic() + self.chance.uniform(*self.spans.up)

    def end(self) -> None:
        """Start it if it is away, and wait until it is ready. It is not killed before the next `follow`.

        Raises:
            AssertionError: it is not ready after minutes.
        """
        if not self._is_launched:
            self._launch()
        end = time.monotonic() + READY_WITHIN
        while self.is_away:
            assert time.monotonic() < end, f"{self.name} is not ready."
            self._due = max(self._due, time.monotonic() + self.spans.up[0] + LOOK_SECONDS)
            self.follow()
            time.sleep(LOOK_SECONDS)

    def seconds_away(self) -> float:
        return sum(each.ended - each.began for each in self.made)


def uncovered(began: float, ended: float, outages: Iterable[Outage]) -> float:
    """The seconds of a gap that no outage explains."""
    left, at = 0.0, began
    for each in sorted(outages, key=lambda outage: outage.began):
        if each.began < ended and each.ended > at:
            left += max(0.0, each.began - at)
            at = each.ended
    return left + max(0.0, ended - at)
