"""Alert texts for missed ticks and scheduler downtimes."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from service.names import SCHEDULER_COMPONENT, AlertSection
from service.scheduler.job import Job
from service.scheduler.monitoring.evaluation import Ticks
from service.scheduler.monitoring.overdue import rounded_duration
from telemetry.alerts import MISSED, AlertLevel, Condition, condition, get_alert_service
from telemetry.semconv import DATABASE_COMPONENT

_MAX_NAMED_JOBS: Final = 10
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class MissedNotice:
    """What one check has found.

    Attributes:
        last_seen: the last heartbeats before the downtime, of the jobs in `downtime`.
        is_clock_set: this process was the one to start a job's watermark anew after the clock was set.
    """

    missed: list[tuple[Job, Ticks]] = field(default_factory=list)
    downtime: list[tuple[Job, Ticks]] = field(default_factory=list)
    last_seen: list[datetime] = field(default_factory=list)
    is_clock_set: bool = False

    def alert(self, back_at: datetime, *, is_outage: bool = False) -> None:
        """Raise one alert for each job with missed ticks, and one for all ticks of a downtime that ended at `back_at`.

        A restart is no alert but a line in the log: a downtime shorter than the grace of the jobs that fell due, or in which
        only jobs that catch up did. Neither is a database outage (`is_outage`): it has an alert of its own.
        """
        for job, ticks in self.missed:
            condition.fire(
                Condition(
                    f"{MISSED}{job.name}",
                    AlertLevel.WARNING,
                    SCHEDULER_COMPONENT,
                    _missed_text(job, ticks),
                    inhibited_by=DATABASE_COMPONENT,
                    section=AlertSection.RUN_MISSED,
                )
            )
        if self.downtime:
            self._alert_downtime(back_at, is_outage=is_outage)

    def _alert_downtime(self, back_at: datetime, *, is_outage: bool) -> None:
        what = "The database was unavailable to the scheduler" if is_outage else "The scheduler was not running"
        period = f"from {format_utc(min(self.last_seen))} to {format_utc(back_at)}"
        text = f"{what} {period}. Not executed: {self._downtime_text()}."
        if is_outage or not self._is_alert(back_at):
            _log.info("%s", text)
            return
        get_alert_service().report(
            text,
            AlertLevel.WARNING,
            SCHEDULER_COMPONENT,
            inhibited_by=DATABASE_COMPONENT,
            section=AlertSection.SCHEDULER_DOWNTIME,
        )

    def _is_alert(self, back_at: datetime) -> bool:
        found = zip(self.downtime, self.last_seen, strict=True)
        return any(not job.catches_up and back_at - seen >= job.start_grace for (job, _), seen in found)

    def _downtime_text(self) -> str:
        each = [_runs_text(ticks, job.name) for job, ticks in self.downtime]
        more = len(each) - _MAX_NAMED_JOBS
        return ", ".join(each[:_MAX_NAMED_JOBS]) + (f" and runs of {more} more jobs" if more > 0 else "")


def _missed_text(job: Job, ticks: Ticks) -> str:
    what = f"its scheduled time {format_utc(ticks.last)}"
    if ticks.number > 1:
        period = f"{format_utc(ticks.first)} to {format_utc(ticks.last)}"
        what = f"each of {ticks.number} scheduled times ({period})"
    return f"Job {job.name} did not begin within {rounded_duration(job.start_grace)} of {what}."


def report_clock_set(jump: timedelta, now: datetime) -> None:
    """Alert that the clock was set. `jump` is zero if that was before the start of this process."""
    direction = "back" if jump < timedelta(0) else "forward"
    what = f"was set {direction} by {rounded_duration(abs(jump))}" if jump else "was wrong, or is wrong now"
    text = f"The clock {what}. It shows {format_utc(now)}. Runs are checked from then on; none counts as missed."
    get_alert_service().report(text, AlertLevel.WARNING, SCHEDULER_COMPONENT, section=AlertSection.CLOCK_SET)


def format_utc(moment: datetime) -> str:
    """Format a datetime that is in UTC, such as 2025-10-02 12:00:00 UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _runs_text(ticks: Ticks, job_name: str) -> str:
    if ticks.number == 1:
        return f"1 run of {job_name} ({format_utc(ticks.last)})"
    return f"{ticks.number} runs of {job_name} ({format_utc(ticks.first)} to {format_utc(ticks.last)})"
