"""Noticed: what a look at the schedule has found, and how it is said."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from service.judging import Ticks
from service.overdue import in_words
from service.schedule import Job

_MOST_NAMED: Final = 10
_ABOUT: Final = {"component": "scheduler"}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Noticed:
    """`last_seen`: until when somebody was there, of the jobs with ticks in a downtime."""

    missed: list[tuple[Job, Ticks]] = field(default_factory=list)
    downtime: list[tuple[Job, Ticks]] = field(default_factory=list)
    last_seen: list[datetime] = field(default_factory=list)

    def tell(self, back_at: datetime) -> None:
        """A line for each job that missed ticks, and one for all that fell into the time in which nobody was there."""
        for job, ticks in self.missed:
            grace = in_words(job.start_grace)
            if ticks.number == 1:
                _log.warning(
                    "%s did not begin within %s of its tick of %s.", job.name, grace, at(ticks.last), extra=_ABOUT
                )
            else:
                _log.warning(
                    "%s did not begin within %s of each of %s.", job.name, grace, _counted(ticks, "tick"), extra=_ABOUT
                )
        if self.downtime:
            _log.warning(
                "Nobody ran the schedule from %s to %s: %s fell into it.",
                at(min(self.last_seen)),
                at(back_at),
                self._fallen(),
                extra=_ABOUT,
            )

    def _fallen(self) -> str:
        each = [_counted(ticks, "run", f" of {job.name}") for job, ticks in self.downtime]
        more = len(each) - _MOST_NAMED
        return ", ".join(each[:_MOST_NAMED]) + (f" and runs of {more} more jobs" if more > 0 else "")


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _counted(ticks: Ticks, word: str, what: str = "") -> str:
    if ticks.number == 1:
        return f"1 {word}{what} ({at(ticks.last)})"
    return f"{ticks.number} {word}s{what} ({at(ticks.first)} to {at(ticks.last)})"
