"""Overdue: runs that go on for longer than they may are marked once, by one of the processes that see it, while they run."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.names import SCHEDULER_COMPONENT
from telemetry.alerts import OVERDUE, AlertLevel, Condition, condition
from telemetry.database import transaction
from telemetry.jobs import JobRunRow

_RUNNING: Final = and_(JobRunRow.finished_at.is_(None), JobRunRow.overdue_at.is_(None))
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


def mark_overdue(engine: Engine, now: datetime, count: Callable[[str], None]) -> None:
    """One at a time, since whoever holds several rows may stand in the way of somebody who holds some of them."""
    late = select(JobRunRow.id).where(_RUNNING, JobRunRow.deadline_at < now).order_by(JobRunRow.id)
    with transaction(engine) as session:
        found = list(session.scalars(late))
    for number in found:
        with transaction(engine) as session:
            marked = _mark(session, number, now)
        if marked is not None:
            name, started, deadline = marked
            count(name)
            said = f"{name} has been running for {format_duration(now - started)}; it may take {format_duration(deadline - started)}."
            condition.begin(Condition(f"{OVERDUE}{name}", AlertLevel.WARNING, SCHEDULER_COMPONENT, said))


def _mark(session: Session, number: int, now: datetime) -> tuple[str, datetime, datetime] | None:
    marked = update(JobRunRow).where(JobRunRow.id == number, _RUNNING).values(overdue_at=now)
    row = session.execute(
        marked.returning(JobRunRow.job_name, JobRunRow.started_at, JobRunRow.deadline_at).execution_options(
            synchronize_session=False
        )
    ).one_or_none()
    return (row.job_name, row.started_at, row.deadline_at) if row is not None else None


def format_duration(length: timedelta) -> str:
    """Such as 45 s, 12 min, 1.5 h."""
    if length < 2 * _MINUTE:
        return f"{length.total_seconds():.0f} s"
    return f"{length / _MINUTE:.0f} min" if length < 2 * _HOUR else f"{length / _HOUR:.3g} h"
