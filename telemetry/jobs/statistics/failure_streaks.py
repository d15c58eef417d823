"""Streaks: how each job has done lately: its failures since its last success, of whatever process and machine."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from telemetry import semconv
from telemetry.database import transaction
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow

MAX_FAILURES: Final = 100


@dataclass(frozen=True, slots=True)
class Failure:
    ended_at: datetime
    worker: str
    outcome: str
    error: str
    first_error: str
    run_id: str


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """`failures` are those since the last success, the oldest first; of more than `MAX_FAILURES`, the newest. `last_end` is any end."""

    job_name: str
    failures: list[Failure]
    last_success: datetime | None
    last_end: datetime | None

    @property
    def is_truncated(self) -> bool:
        return len(self.failures) >= MAX_FAILURES


def failure_streaks(engine: Engine) -> list[FailureStreak]:
    """Of each job that ever ran. A cancelled run is no failure of the job: somebody has stopped it.

    Raises:
        SQLAlchemyError: the database cannot be asked.
    """
    known = JobRunRepository(engine).names()
    with transaction(engine) as session:
        return [_failure_streak(session, name) for name in known]


def _failure_streak(session: Session, job_name: str) -> FailureStreak:
    run = JobRunRow
    newest = select(run.id, run.finished_at).where(run.job_name == job_name)
    success = session.execute(
        newest.where(run.status == semconv.STATUS_SUCCESS).order_by(run.id.desc()).limit(1)
    ).one_or_none()
    failed = session.execute(
        select(run.finished_at, run.worker, run.outcome, run.error_message, run.first_error, run.run_id)
        .where(run.job_name == job_name, run.status == semconv.STATUS_FAILED, run.id > (success.id if success else 0))
        .where(func.coalesce(run.outcome, "") != semconv.OUTCOME_CANCELLED, run.finished_at.is_not(None))
        .order_by(run.id.desc())
        .limit(MAX_FAILURES)
    ).all()
    failures = [
        Failure(at, worker, outcome or "", error or "", first or "", run_id)
        for at, worker, outcome, error, first, run_id in reversed(failed)
    ]
    succeeded = success.finished_at if success else None
    ends = [*([succeeded] if succeeded else []), *(each.ended_at for each in failures[-1:])]
    return FailureStreak(job_name, failures, succeeded, max(ends, default=None))
