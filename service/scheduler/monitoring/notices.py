"""MissedNotice: what a look at the schedule has found, and how it is said."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from service.names import SCHEDULER_COMPONENT
from service.scheduler.job import Job
from service.scheduler.monitoring.evaluation import Ticks
from service.scheduler.monitoring.overdue import format_duration
from telemetry.alerts import MISSED, AlertLevel, Condition, condition, get_alert_service
from telemetry.semconv import DATABASE_COMPONENT

_MOST_NAMED: Final = 10


@dataclass(slots=True)
class MissedNotice:
    """`last_seen`: until when somebody was there, of the jobs with ticks in a downtime."""

    missed: list[tuple[Job, Ticks]] = field(default_factory=list)
    downtime: list[tuple[Job, Ticks]] = field(default_factory=list)
    last_seen: list[datetime] = field(default_factory=list)

    def tell(self, back_at: datetime) -> None:
        """A line for each job that missed ticks, and one for all that fell into the time in which nobody was there."""
        for job, ticks in self.missed:
            condition.begin(
                Condition(
                    f"{MISSED}{job.name}",
                    AlertLevel.WARNING,
                    SCHEDULER_COMPONENT,
                    _missed(job, ticks),
                    follows=DATABASE_COMPONENT,
                )
            )
        if self.downtime:
            said = f"Nobody ran the schedule from {format_utc(min(self.last_seen))} to {format_utc(back_at)}: {self._fallen()} fell into it."
            get_alert_service().report(said, AlertLevel.WARNING, SCHEDULER_COMPONENT, follows=DATABASE_COMPONENT)

    def _fallen(self) -> str:
        each = [_counted(ticks, "run", f" of {job.name}") for job, ticks in self.downtime]
        more = len(each) - _MOST_NAMED
        return ", ".join(each[:_MOST_NAMED]) + (f" and runs of {more} more jobs" if more > 0 else "")


def _missed(job: Job, ticks: Ticks) -> str:
    what = f"its tick of {format_utc(ticks.last)}" if ticks.number == 1 else f"each of {_counted(ticks, 'tick')}"
    return f"{job.name} did not begin within {format_duration(job.start_grace)} of {what}."


def format_utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _counted(ticks: Ticks, word: str, what: str = "") -> str:
    if ticks.number == 1:
        return f"1 {word}{what} ({format_utc(ticks.last)})"
    return f"{ticks.number} {word}s{what} ({format_utc(ticks.first)} to {format_utc(ticks.last)})"
