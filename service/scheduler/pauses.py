"""Repository of the table `paused_jobs`: a person pauses a job, and no scheduler starts its ticks until it is resumed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.schedule_tables import PausedJobRow, ScheduleWatchRow
from service.database.upsert import insert_into
from telemetry.database import transaction
from telemetry.redaction import redact

REMIND_INTERVAL: Final = timedelta(days=1)
"""How long a pause may last before an alert reminds of it, and the time until the next one."""
MAX_NAME_LENGTH: Final = 200
MAX_REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when a job is paused, by whom, and why."""

    since: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        return f"Paused since {self.since:%Y-%m-%d %H:%M} UTC by {self.by}: {self.reason}"


def paused_jobs(engine: Engine) -> dict[str, Pause]:
    """The paused jobs, by name."""
    with transaction(engine) as session:
        return read_pauses(session)


def read_pauses(session: Session) -> dict[str, Pause]:
    row = PausedJobRow
    found = session.execute(select(row.job_name, row.paused_at, row.paused_by, row.reason))
    return {name: Pause(*pause) for name, *pause in found}


def is_paused(session: Session, job_name: str) -> bool:
    return session.scalar(select(PausedJobRow.job_name).where(PausedJobRow.job_name == job_name)) is not None


def pause_job(engine: Engine, job_name: str, pause: Pause) -> Pause:
    """Pause a job. Of a job that is paused already, the reason and the person change, and the first alert waits anew.

    Returns:
        The pause as it is now.
    """
    new = {
        "paused_by": one_line(pause.by, MAX_NAME_LENGTH),
        "reason": one_line(pause.reason, MAX_REASON_LENGTH),
        "remind_at": pause.since + REMIND_INTERVAL,
    }
    with transaction(engine) as session:
        insert = insert_into(session, PausedJobRow).values(job_name=job_name, paused_at=pause.since, **new)
        session.execute(insert.on_conflict_do_update(index_elements=[PausedJobRow.job_name], set_=new))
        return read_pauses(session)[job_name]


def resume_job(engine: Engine, job_name: str, now: datetime) -> bool:
    """Resume a job. Its ticks count again from now on; those of the pause are not missed.

    Returns:
        Whether it was paused.
    """
    watch = ScheduleWatchRow
    with transaction(engine) as session:
        deleted = delete(PausedJobRow).where(PausedJobRow.job_name == job_name).returning(PausedJobRow.job_name)
        was_paused = session.scalar(deleted) is not None
        if was_paused:
            watched = update(watch).where(watch.job_name == job_name, watch.watched_until < now)
            session.execute(watched.values(watched_until=now).execution_options(synchronize_session=False))
    return was_paused


def one_line(text: str, length: int) -> str:
    """A person's text without secrets and without what is not printable, such as line ends."""
    printable = "".join(each if each.isprintable() else " " for each in text[: 4 * length])
    return redact(" ".join(printable.split()))[:length]


def _is_due(now: datetime) -> ColumnElement[bool]:
    """A later time than an interval from now is from before the clock was set back."""
    return or_(PausedJobRow.remind_at <= now, PausedJobRow.remind_at > now + REMIND_INTERVAL)


def due_reminders(session: Session, now: datetime) -> list[str]:
    """The jobs whose pause an alert is due to remind of."""
    return list(session.scalars(select(PausedJobRow.job_name).where(_is_due(now)).order_by(PausedJobRow.job_name)))


def claim_reminder(session: Session, job_name: str, now: datetime) -> Pause | None:
    """Claim the alert about a long pause, which then waits for another `REMIND_INTERVAL`. One process of all gets it.

    Returns:
        The pause; None if no alert is due, or another process has claimed it.
    """
    row = PausedJobRow
    claimed = update(row).where(row.job_name == job_name, _is_due(now)).values(remind_at=now + REMIND_INTERVAL)
    columns = claimed.returning(row.paused_at, row.paused_by, row.reason)
    found = session.execute(columns.execution_options(synchronize_session=False)).one_or_none()
    return Pause(*found) if found is not None else None
