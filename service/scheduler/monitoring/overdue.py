"""Marks runs as overdue while they run, as soon as they exceed their maximum runtime. Each is marked once, by one process."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.names import SCHEDULER_COMPONENT, AlertSection
from telemetry.alerts import OVERDUE, AlertLevel, Condition, condition
from telemetry.database import transaction
from telemetry.jobs import JobRunRow, own_frames

STACK_GRACE: Final = timedelta(seconds=4)
"""Less than the time between two heartbeats. One that came later after the deadline would have brought the stack."""
_FRAME_NAMES: Final = ("Hangs at", "Called from", "Before that from")
_ROW: Final = JobRunRow
_NOT_MARKED: Final = and_(JobRunRow.finished_at.is_(None), JobRunRow.overdue_at.is_(None))
# The deadline is by the clock that the heartbeat is by. A process that is alive corrects it when that clock is set.
_OVERDUE: Final = and_(_NOT_MARKED, JobRunRow.deadline_at < JobRunRow.heartbeat_at)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


def mark_overdue(
    engine: Engine, now: datetime, on_overdue: Callable[[str], None], max_runtimes: Mapping[str, timedelta]
) -> None:
    """Mark overdue runs and alert about them: those that gave a heartbeat after their deadline.

    A run's process writes the run's stack before such a heartbeat. A heartbeat within `STACK_GRACE` may have been too early for it. Each run has its own transaction: with several rows locked, two processes could deadlock.

    Args:
        engine: the database.
        now: by its clock.
        on_overdue: called with the job's name for each run.
        max_runtimes: by the job's name; of other jobs, the start and the deadline tell it.
    """
    with transaction(engine) as session:
        found = session.execute(
            select(_ROW.id, _ROW.overdue_stack.is_not(None), _ROW.heartbeat_at, _ROW.deadline_at)
            .where(_OVERDUE)
            .order_by(_ROW.id)
        ).all()
    ids = [
        row_id for row_id, has_stack, heartbeat, deadline in found if has_stack or heartbeat - deadline > STACK_GRACE
    ]
    for row_id in ids:
        with transaction(engine) as session:
            marked = _mark(session, row_id, now)
        if marked is not None:
            name, started, deadline, stack = marked
            on_overdue(name)
            allowed = max_runtimes.get(name, deadline - started)
            condition.fire(overdue(name, allowed + (now - deadline), allowed, own_frames(stack or "")))


def overdue(job_name: str, running: timedelta, allowed: timedelta, frames: Sequence[str] = ()) -> Condition:
    """`frames`: those of our own code that the run was in, the innermost first."""
    text = (
        f"Job {job_name} has been running for {rounded_duration(running)}; "
        f"its limit is {rounded_duration(allowed)}. The service does not stop it."
    )
    key, section = f"{OVERDUE}{job_name}", AlertSection.RUN_OVERDUE
    facts = dict(zip(_FRAME_NAMES, frames, strict=False))
    return Condition(key, AlertLevel.WARNING, SCHEDULER_COMPONENT, text, facts, section=section)


def _mark(session: Session, row_id: int, now: datetime) -> tuple[str, datetime, datetime, str | None] | None:
    """Returns the job's name, start, deadline and stack; None if the run has ended or another process has marked it."""
    marked = update(JobRunRow).where(JobRunRow.id == row_id, _OVERDUE).values(overdue_at=now)
    row = session.execute(
        marked.returning(_ROW.job_name, _ROW.started_at, _ROW.deadline_at, _ROW.overdue_stack).execution_options(
            synchronize_session=False
        )
    ).one_or_none()
    return (row.job_name, row.started_at, row.deadline_at, row.overdue_stack) if row is not None else None


def rounded_duration(length: timedelta) -> str:
    """One unit, rounded: 45 s, 12 min, 1.5 h."""
    if length < 2 * _MINUTE:
        return f"{length.total_seconds():.0f} s"
    return f"{length / _MINUTE:.0f} min" if length < 2 * _HOUR else f"{length / _HOUR:.3g} h"
