"""Marks runs as overdue while they run, as soon as they exceed their maximum runtime. Each is marked once, by one process."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, select, true, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.names import SCHEDULER_COMPONENT
from telemetry.alerts import OVERDUE, AlertLevel, Condition, condition
from telemetry.database import transaction
from telemetry.jobs import JobRunRow

_NOT_MARKED: Final = and_(JobRunRow.finished_at.is_(None), JobRunRow.overdue_at.is_(None))
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The clock was set forward by `by`, or back if that is negative. It showed `at` then."""

    at: datetime
    by: timedelta

    def started_before(self, now: datetime) -> ColumnElement[bool]:
        """Whether a run started by the old clock, as far as its start can tell."""
        return JobRunRow.started_at < self.at if self.by > timedelta(0) else JobRunRow.started_at > now


def mark_overdue(
    engine: Engine, now: datetime, on_overdue: Callable[[str], None], clock_set: ClockSet | None = None
) -> None:
    """Mark overdue runs and alert about them. `on_overdue` is called with the job's name for each run.

    Runs that were active when the clock was set are judged by the old one.

    """
    if clock_set is None:
        _mark_all(engine, now, on_overdue, true())
        return
    is_old = clock_set.started_before(now)
    _mark_all(engine, now, on_overdue, ~is_old)
    _mark_all(engine, now - clock_set.by, on_overdue, is_old)


def _mark_all(
    engine: Engine, now: datetime, on_overdue: Callable[[str], None], is_to_judge: ColumnElement[bool]
) -> None:
    """Each run has its own transaction: with several rows locked, two processes could deadlock."""
    overdue = select(JobRunRow.id).where(_NOT_MARKED, JobRunRow.deadline_at < now, is_to_judge).order_by(JobRunRow.id)
    with transaction(engine) as session:
        ids = list(session.scalars(overdue))
    for row_id in ids:
        with transaction(engine) as session:
            marked = _mark(session, row_id, now)
        if marked is not None:
            name, started, deadline = marked
            on_overdue(name)
            text = f"{name} has been running for {rounded_duration(now - started)}; it may take {rounded_duration(deadline - started)}."
            condition.fire(Condition(f"{OVERDUE}{name}", AlertLevel.WARNING, SCHEDULER_COMPONENT, text))


def _mark(session: Session, row_id: int, now: datetime) -> tuple[str, datetime, datetime] | None:
    """Returns the job's name, the start and the deadline; None if the run has ended or another process has marked it."""
    marked = update(JobRunRow).where(JobRunRow.id == row_id, _NOT_MARKED).values(overdue_at=now)
    row = session.execute(
        marked.returning(JobRunRow.job_name, JobRunRow.started_at, JobRunRow.deadline_at).execution_options(
            synchronize_session=False
        )
    ).one_or_none()
    return (row.job_name, row.started_at, row.deadline_at) if row is not None else None


def rounded_duration(length: timedelta) -> str:
    """One unit, rounded: 45 s, 12 min, 1.5 h."""
    if length < 2 * _MINUTE:
        return f"{length.total_seconds():.0f} s"
    return f"{length / _MINUTE:.0f} min" if length < 2 * _HOUR else f"{length / _HOUR:.3g} h"
