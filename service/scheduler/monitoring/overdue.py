"""Marks runs as overdue while they run, as soon as they exceed their maximum runtime. Each is marked once, by one process."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.names import SCHEDULER_COMPONENT, AlertSection
from telemetry.alerts import OVERDUE, AlertLevel, Condition, condition
from telemetry.database import transaction
from telemetry.jobs import JobRunRow

_NOT_MARKED: Final = and_(JobRunRow.finished_at.is_(None), JobRunRow.overdue_at.is_(None))
# The deadline is by the clock that the heartbeat is by. A process that is alive corrects it when that clock is set.
_OVERDUE: Final = and_(_NOT_MARKED, JobRunRow.deadline_at < JobRunRow.heartbeat_at)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


def mark_overdue(
    engine: Engine, now: datetime, on_overdue: Callable[[str], None], max_runtimes: Mapping[str, timedelta]
) -> None:
    """Mark overdue runs and alert about them: those that gave a heartbeat after their deadline.

    Each run has its own transaction: with several rows locked, two processes could deadlock.

    Args:
        engine: the database.
        now: by its clock.
        on_overdue: called with the job's name for each run.
        max_runtimes: by the job's name; of other jobs, the start and the deadline tell it.
    """
    with transaction(engine) as session:
        ids = list(session.scalars(select(JobRunRow.id).where(_OVERDUE).order_by(JobRunRow.id)))
    for row_id in ids:
        with transaction(engine) as session:
            marked = _mark(session, row_id, now)
        if marked is not None:
            name, started, deadline = marked
            on_overdue(name)
            allowed = max_runtimes.get(name, deadline - started)
            condition.fire(overdue(name, allowed + (now - deadline), allowed))


def overdue(job_name: str, running: timedelta, allowed: timedelta) -> Condition:
    text = (
        f"Job {job_name} has been running for {rounded_duration(running)}; "
        f"its limit is {rounded_duration(allowed)}. The service does not stop it."
    )
    key, section = f"{OVERDUE}{job_name}", AlertSection.RUN_OVERDUE
    return Condition(key, AlertLevel.WARNING, SCHEDULER_COMPONENT, text, section=section)


def _mark(session: Session, row_id: int, now: datetime) -> tuple[str, datetime, datetime] | None:
    """Returns the job's name, the start and the deadline; None if the run has ended or another process has marked it."""
    marked = update(JobRunRow).where(JobRunRow.id == row_id, _OVERDUE).values(overdue_at=now)
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
