"""Repository of the table `schedule_watch`. Of several processes that evaluate the same ticks, exactly one saves its result."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.database.schedule_tables import MissedRunRow, ScheduleWatchRow
from service.scheduler.job import Job
from service.scheduler.monitoring.evaluation import MAX_RUNS, Evaluation, Runs, ScheduledRun, Ticks, Watermark
from service.scheduler.monitoring.missed_runs import DOWNTIME, MISSED
from telemetry import semconv
from telemetry.jobs import JobRunRow


class TickLedger:
    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> dict[str, Watermark]:
        """The watermarks by job name."""
        row = ScheduleWatchRow
        columns = select(row.job_name, row.cadence, row.watched_until, row.seen_at, row.back_at)
        return {found.job_name: Watermark(*found) for found in self._session.execute(columns)}

    def delete_others(self, job_names: Collection[str]) -> None:
        """Delete the watermarks of all other jobs. A job that is scheduled again later counts as new."""
        self._session.execute(delete(ScheduleWatchRow).where(ScheduleWatchRow.job_name.not_in(job_names)))

    def add(self, job: Job, now: datetime) -> None:
        """Add a watermark for a new job, unless another process has added it."""
        dialect: Any = postgresql if self._session.get_bind().dialect.name == "postgresql" else sqlite
        new = dialect.insert(ScheduleWatchRow).values(
            job_name=job.name, cadence=str(job.cadence), watched_until=now, seen_at=now
        )
        self._session.execute(new.on_conflict_do_nothing())

    def reset(self, watermark: Watermark, job: Job, now: datetime) -> bool:
        """Start again from now, with the job's current cadence. False if another process has changed the row meanwhile."""
        return self._update(watermark, cadence=str(job.cadence), watched_until=now, seen_at=now, back_at=None)

    def heartbeat(self, watermark: Watermark, now: datetime) -> None:
        """Record that a scheduler is running."""
        self._update(watermark, seen_at=now)

    def save(self, watermark: Watermark, evaluation: Evaluation, now: datetime) -> bool:
        """Save an evaluation. False if another process has changed the row since the watermark was read."""
        if not self._update(watermark, watched_until=evaluation.watched_until, back_at=evaluation.back_at, seen_at=now):
            return False
        for kind, ticks in ((MISSED, evaluation.missed), (DOWNTIME, evaluation.downtime)):
            if ticks is not None:
                self._session.add(_missed_row(watermark.job_name, kind, ticks, now))
        return True

    def runs(self, job: Job) -> Runs:
        row = JobRunRow
        # A lost run ended at its last heartbeat, as far as is known.
        ended_at = case((row.outcome == semconv.OUTCOME_LOST, row.heartbeat_at), else_=row.finished_at)
        newest = select(row.scheduled_for, row.started_at, ended_at).where(row.job_name == job.name)
        found = self._session.execute(newest.order_by(row.id.desc()).limit(MAX_RUNS))
        return Runs(job, [ScheduledRun(*each) for each in found])

    def last_heartbeat(self) -> datetime | None:
        """The last heartbeat of any scheduler, for any job."""
        return self._session.scalar(select(func.max(ScheduleWatchRow.seen_at)))

    def _update(self, watermark: Watermark, **values: object) -> bool:
        """Update the row if it is still as it was read. Returns whether it was."""
        row = ScheduleWatchRow
        is_unchanged = (
            row.job_name == watermark.job_name,
            row.cadence == watermark.cadence,
            row.watched_until == watermark.watched_until,
            row.seen_at == watermark.seen_at,
        )
        updated = update(row).where(*is_unchanged).values(**values).returning(row.job_name)
        return self._session.scalar(updated.execution_options(synchronize_session=False)) is not None


def _missed_row(job_name: str, kind: str, ticks: Ticks, now: datetime) -> MissedRunRow:
    return MissedRunRow(
        job_name=job_name,
        kind=kind,
        first_tick=ticks.first,
        last_tick=ticks.last,
        ticks=ticks.number,
        noticed_at=now,
    )
