"""The rows of running runs: their heartbeats, and marking them as lost, by the clock of the database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Select, case, func, literal, or_, select, update

from telemetry import semconv
from telemetry.database import UTCDateTime, transaction
from telemetry.jobs.store.deadlines import corrected_deadline
from telemetry.jobs.store.runs import utcnow
from telemetry.jobs.store.tables import JobRunRow

MAX_ROWS_PER_STATEMENT: Final = 500
_MAX_AHEAD: Final = timedelta(minutes=2)
"""A heartbeat further in the future was written before the clock was set back. A living process renews its own."""
_RUNNING: Final = {
    "status": semconv.STATUS_RUNNING,
    "outcome": None,
    "finished_at": None,
    "error_message": None,
}


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run that was marked as lost, and the process that ran it."""

    run_id: str
    job_name: str
    worker: str


class RunningRuns:
    """The repository of running runs. `now` is used on SQLite only, whose processes share a machine and its clock."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = utcnow) -> None:
        self._engine = engine
        self._now = now

    def now(self) -> datetime:
        """Ask the database for its time."""
        with transaction(self._engine) as session:
            moment: datetime = session.execute(select(self._database_clock())).scalar_one()
            return moment

    def heartbeat(self, run_ids: Sequence[str], time_left: Mapping[str, timedelta] | None = None) -> None:
        """Renew the heartbeats of these runs. Runs that were marked as lost become running again.

        Rows that another transaction has locked are skipped: writing them renews the heartbeat as well.

        Args:
            run_ids: the runs.
            time_left: how long a run may go on, for those with a deadline; it is negative after that.
        """
        for batch in in_batches(run_ids):
            with transaction(self._engine) as session:
                session.execute(
                    update(JobRunRow)
                    .where(JobRunRow.id.in_(_skip_locked(select(JobRunRow.id).where(_is_open_or_lost(batch)))))
                    .values(heartbeat_at=self._database_clock(), **_RUNNING, **self._deadlines(batch, time_left or {}))
                    .execution_options(synchronize_session=False)
                )

    def save_stack(self, run_id: str, stack: str) -> bool:
        """Keep the stack of a run that is overdue. False if its row is not there yet, or locked: it has to be tried again."""
        row = JobRunRow
        with transaction(self._engine) as session:
            found = session.connection().execute(
                update(row)
                .where(row.id.in_(_skip_locked(select(row.id).where(row.run_id == run_id))))
                .values(overdue_stack=func.coalesce(row.overdue_stack, stack))
            )
            return bool(found.rowcount)

    def stale(self, before: datetime) -> list[str]:
        """The ids of the running runs whose last heartbeat is before this time, or in the future: the clock was set back."""
        row = JobRunRow
        with transaction(self._engine) as session:
            return list(session.scalars(select(row.run_id).where(row.finished_at.is_(None), self._is_stale(before))))

    def mark_lost(self, run_ids: Sequence[str], stale_before: datetime | None = None) -> list[LostRun]:
        """Mark those of these runs that are still running as lost.

        Args:
            run_ids: the runs.
            stale_before: leave out runs with a heartbeat at or after this time.

        Returns:
            The runs that this call marked; of several concurrent calls, one gets each run.
        """
        return [lost for batch in in_batches(run_ids) for lost in self._mark_lost(batch, stale_before)]

    def _mark_lost(self, run_ids: Sequence[str], stale_before: datetime | None) -> list[LostRun]:
        row, conditions = JobRunRow, _is_running(run_ids)
        if stale_before is not None:
            conditions = [*conditions, self._is_stale(stale_before)]
        marking = (
            update(row)
            .where(row.id.in_(_skip_locked(select(row.id).where(*conditions))))
            .values(
                status=semconv.STATUS_FAILED,
                outcome=semconv.OUTCOME_LOST,
                finished_at=self._database_clock(),
                duration_seconds=None,
                error_message="Its process (" + row.worker + ") ended without finishing it.",
            )
            .returning(row.run_id, row.job_name, row.worker)
            .execution_options(synchronize_session=False)
        )
        with transaction(self._engine) as session:
            return [LostRun(*marked) for marked in session.execute(marking).all()]

    def _deadlines(self, run_ids: Iterable[str], time_left: Mapping[str, timedelta]) -> dict[str, Any]:
        stored = JobRunRow.deadline_at
        each = [
            (JobRunRow.run_id == run_id, corrected_deadline(self._engine, self._now, stored, time_left[run_id]))
            for run_id in run_ids
            if run_id in time_left
        ]
        return {"deadline_at": case(*each, else_=stored)} if each else {}

    def _is_stale(self, before: datetime) -> ColumnElement[bool]:
        latest = self._database_clock() + literal(_MAX_AHEAD)
        if self._engine.dialect.name != "postgresql":
            latest = literal(self._now() + _MAX_AHEAD, UTCDateTime)
        return or_(JobRunRow.heartbeat_at < before, JobRunRow.heartbeat_at > latest)

    def _database_clock(self) -> ColumnElement[Any]:
        if self._engine.dialect.name == "postgresql":
            return func.clock_timestamp(type_=UTCDateTime)
        return literal(self._now(), UTCDateTime)


def in_batches(run_ids: Iterable[str], number: int = MAX_ROWS_PER_STATEMENT) -> list[list[str]]:
    """Split sorted ids into batches. The order prevents deadlocks between transactions that change the same rows."""
    ordered = sorted(run_ids)
    return [ordered[start : start + number] for start in range(0, len(ordered), number)]


def _is_open_or_lost(run_ids: Sequence[str]) -> ColumnElement[bool]:
    """Still open, or only marked as lost."""
    return JobRunRow.run_id.in_(run_ids) & or_(
        JobRunRow.finished_at.is_(None), JobRunRow.outcome == semconv.OUTCOME_LOST
    )


def _is_running(run_ids: Sequence[str]) -> list[ColumnElement[bool]]:
    return [JobRunRow.run_id.in_(run_ids), JobRunRow.finished_at.is_(None)]


def _skip_locked(rows: Select[tuple[int]]) -> Select[tuple[int]]:
    """Skip rows that another transaction has locked; SQLite has only one writer at a time."""
    return rows.with_for_update(skip_locked=True)
