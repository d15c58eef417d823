"""The faults of a soak, as a list: when each begins, in seconds since the start."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

OUTAGE_SECONDS: Final = 10.0
FULL_SECONDS: Final = 25.0
SHIFT_SECONDS: Final = 1800.0
_CLOCK: Final = ((0.2, SHIFT_SECONDS), (0.35, 0.0), (0.55, -SHIFT_SECONDS), (0.7, 0.0))


@dataclass(frozen=True)
class Event:
    """At a second of the run. `value` is what the wall clock is set to, in seconds beside the true time."""

    at: float
    what: str
    value: float = 0.0


def plan(minutes: float) -> list[Event]:
    """A worker is killed each minute, the database is away every two, the clock is set four times, the disk is full once."""
    end = minutes * 60
    return sorted([*_kills(end), *_outages(end), *_clock(end), *_full_disk(end)], key=lambda event: event.at)


def _kills(end: float) -> Iterator[Event]:
    at = 30.0
    while at < end:
        yield Event(at, "kill")
        at += 60


def _outages(end: float) -> Iterator[Event]:
    """By turns the database is killed, and hangs."""
    at, hangs = 60.0, False
    while at + OUTAGE_SECONDS < end:
        yield Event(at, "database hangs" if hangs else "database killed")
        yield Event(at + OUTAGE_SECONDS, "database back")
        at, hangs = at + 120, not hangs


def _clock(end: float) -> Iterator[Event]:
    """While the database answers."""
    for share, value in _CLOCK:
        yield Event(round(end * share / 30) * 30 + 15.0, "clock", value)


def _full_disk(end: float) -> Iterator[Event]:
    """Right after a kill, and before the next one: what is kept in memory is to survive it."""
    at = round(end * 0.45 / 60) * 60 + 32.0
    yield Event(at, "disk full")
    yield Event(at + FULL_SECONDS, "disk free")
