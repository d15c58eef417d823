"""The schedule of the service, for the console: the same code as that of the API."""

from collections.abc import Callable, Sequence
from datetime import datetime

from service.database.clock import DatabaseClock
from service.errors import Problem
from service.jobs.job_commands import JobCommands
from service.jobs.suspension import Suspension, suspensions
from service.scheduler.job import Job, UnknownJob
from service.scheduler.monitoring.missed_runs import DOWNTIME, missed_since
from service.scheduler.pauses import Pause, paused_jobs
from telemetry.console import MissedRun, PageNotFound, Refused, ScheduledJob


class ConsoleJobs:
    """Errors of the service become those of the console."""

    def __init__(self, control: JobCommands, clock: DatabaseClock) -> None:
        self._control = control
        self._clock = clock

    def schedule(self) -> Sequence[ScheduledJob]:
        engine, now = self._control.engine, self._clock.last_now()
        paused, off = paused_jobs(engine), suspensions(engine)
        return [
            self._scheduled(job, paused.get(job.name), off.get(job.name), now) for job in self._control.schedule.jobs
        ]

    def _scheduled(self, job: Job, pause: Pause | None, off: Suspension | None, now: datetime) -> ScheduledJob:
        missing = self._control.schedule.missing(job)
        runs_from = off.retry_at if off is not None and off.is_active(now) else now
        return ScheduledJob(
            name=job.name,
            cadence=str(job.cadence),
            next_run=None if pause or missing else job.cadence.after(runs_from),
            missing=missing or (str(off) if off else ""),
            paused_since=pause.since if pause else None,
            paused_by=pause.by if pause else "",
            pause_reason=pause.reason if pause else "",
        )

    def missed(self, since: datetime) -> Sequence[MissedRun]:
        return [
            MissedRun(row.job_name, row.first_tick, row.kind == DOWNTIME, row.last_tick, row.ticks)
            for row in missed_since(self._control.engine, since)
        ]

    def run_now(self, name: str, by: str) -> None:
        _change(lambda: self._control.run_now(name, by))

    def pause(self, name: str, by: str, reason: str) -> None:
        _change(lambda: self._control.pause(name, by, reason))

    def resume(self, name: str, by: str) -> None:
        _change(lambda: self._control.resume(name, by))


def _change(change: Callable[[], object]) -> None:
    try:
        change()
    except UnknownJob as error:
        raise PageNotFound(str(error)) from error
    except Problem as error:
        raise Refused(str(error)) from error
