"""Watermark: the table `schedule_watch` in the words of the watch. Of several processes that find the same, one changes it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.database.tables import MissedRunRow, ScheduleWatchRow
from service.scheduler.job import Job
from service.scheduler.monitoring.evaluation import NEWEST_RUNS, Evaluation, Runs, ScheduledRun, Ticks, Watermark
from service.scheduler.monitoring.missed_runs import DOWNTIME, MISSED
from telemetry import semconv
from telemetry.jobs import JobRunRow


class TickLedger:
    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> dict[str, Watermark]:
        """By the job's name."""
        row = ScheduleWatchRow
        columns = select(row.job_name, row.cadence, row.watched_until, row.seen_at, row.back_at)
        return {found.job_name: Watermark(*found) for found in self._session.execute(columns)}

    def forget_others(self, job_names: Collection[str]) -> None:
        """A job that is not scheduled is a new one when it is again."""
        self._session.execute(delete(ScheduleWatchRow).where(ScheduleWatchRow.job_name.not_in(job_names)))

    def begin(self, job: Job, now: datetime) -> None:
        dialect: Any = postgresql if self._session.get_bind().dialect.name == "postgresql" else sqlite
        new = dialect.insert(ScheduleWatchRow).values(
            job_name=job.name, cadence=str(job.cadence), watched_until=now, seen_at=now
        )
        self._session.execute(new.on_conflict_do_nothing())

    def begin_anew(self, watched: Watermark, job: Job, now: datetime) -> None:
        """With another cadence."""
        self._change(watched, cadence=str(job.cadence), watched_until=now, seen_at=now, back_at=None)

    def renew(self, watched: Watermark, now: datetime) -> None:
        """Say that somebody is there."""
        self._change(watched, seen_at=now)

    def keep(self, watched: Watermark, verdict: Evaluation, now: datetime) -> bool:
        """Keep a verdict, unless another process has changed the row since it was read."""
        if not self._change(watched, watched_until=verdict.watched_until, back_at=verdict.back_at, seen_at=now):
            return False
        for kind, ticks in ((MISSED, verdict.missed), (DOWNTIME, verdict.downtime)):
            if ticks is not None:
                self._session.add(_row(watched.job_name, kind, ticks, now))
        return True

    def runs(self, job: Job) -> Runs:
        row = JobRunRow
        # Of a run that was lost, the last that was heard of it is its end.
        ended = case((row.outcome == semconv.OUTCOME_LOST, row.heartbeat_at), else_=row.finished_at)
        newest = select(row.scheduled_for, row.started_at, ended).where(row.job_name == job.name)
        found = self._session.execute(newest.order_by(row.id.desc()).limit(NEWEST_RUNS))
        return Runs(job, [ScheduledRun(*each) for each in found])

    def last_seen(self) -> datetime | None:
        """When somebody last was there to run anything."""
        return self._session.scalar(select(func.max(ScheduleWatchRow.seen_at)))

    def _change(self, watched: Watermark, **values: object) -> bool:
        row = ScheduleWatchRow
        as_read = (
            row.job_name == watched.job_name,
            row.cadence == watched.cadence,
            row.watched_until == watched.watched_until,
            row.seen_at == watched.seen_at,
        )
        changed = update(row).where(*as_read).values(**values).returning(row.job_name)
        return self._session.scalar(changed.execution_options(synchronize_session=False)) is not None


def _row(job_name: str, kind: str, ticks: Ticks, now: datetime) -> MissedRunRow:
    return MissedRunRow(
        job_name=job_name,
        kind=kind,
        first_tick=ticks.first,
        last_tick=ticks.last,
        ticks=ticks.number,
        noticed_at=now,
    )
