"""Statistics: what the runs of one job say about it, worked out by the database."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Row, Select, func, select
from sqlalchemy.orm import Session

from telemetry import names
from telemetry.database import transaction
from telemetry.jobs.tables import JobRunRow

_DIGITS: Final = 6  # of a duration in seconds: the clock's own microseconds


@dataclass(frozen=True, slots=True)
class Streak:
    """How many finished runs there were with this status since the last one with the other."""

    status: str
    runs: int


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """`total_runs` counts those that still run, too; `success_rate` is percent of those that have finished.

    What no run says is None. Percentiles are durations that were measured: the nearest rank. `last_run` is when the
    newest run began, `last_success` when the newest success ended.
    """

    job_name: str
    total_runs: int
    successful_runs: int
    failed_runs: int
    success_rate: float | None
    avg_duration_seconds: float | None
    last_run: datetime | None
    last_status: str | None
    running_runs: int
    p50_duration_seconds: float | None
    p95_duration_seconds: float | None
    p99_duration_seconds: float | None
    current_streak: Streak | None
    last_success: datetime | None
    window_seconds: float | None


def statistics(
    engine: Engine, job_name: str, *, window: timedelta | None = None, now: datetime | None = None
) -> JobStatistics:
    """Of the runs that began within the window, or else of all that are kept."""
    runs = [JobRunRow.job_name == job_name]
    if window is not None:
        runs.append(JobRunRow.started_at >= (now or datetime.now(UTC)) - window)
    with transaction(engine) as session:
        sums = session.execute(_sums(runs)).one()
        last = session.execute(_last(runs)).one_or_none()
        streak = _streak(session, runs, sums)
        p50, p95, p99 = (_percentile(session, runs, sums.timed, percent) for percent in (50, 95, 99))
    return JobStatistics(
        job_name=job_name,
        total_runs=sums.total,
        successful_runs=sums.successes,
        failed_runs=sums.failures,
        success_rate=_rate(sums.successes, sums.failures),
        avg_duration_seconds=None if sums.average is None else round(sums.average, _DIGITS),
        last_run=last.started_at if last else None,
        last_status=last.status if last else None,
        running_runs=sums.running,
        p50_duration_seconds=p50,
        p95_duration_seconds=p95,
        p99_duration_seconds=p99,
        current_streak=streak,
        last_success=sums.last_success,
        window_seconds=window.total_seconds() if window is not None else None,
    )


def _sums(runs: list[ColumnElement[bool]]) -> Select[Any]:
    succeeded, failed = JobRunRow.status == names.STATUS_SUCCESS, JobRunRow.status == names.STATUS_FAILED
    return select(
        func.count().label("total"),
        func.count().filter(succeeded).label("successes"),
        func.count().filter(failed).label("failures"),
        func.count().filter(JobRunRow.status == names.STATUS_RUNNING).label("running"),
        func.count(JobRunRow.duration_seconds).label("timed"),
        func.avg(JobRunRow.duration_seconds).label("average"),
        func.max(JobRunRow.finished_at).filter(succeeded).label("last_success"),
        func.max(JobRunRow.id).filter(succeeded).label("newest_success"),
        func.max(JobRunRow.id).filter(failed).label("newest_failure"),
    ).where(*runs)


def _percentile(session: Session, runs: list[ColumnElement[bool]], timed: int, percent: int) -> float | None:
    """The nearest rank, counted from the longest: the database keeps no more in order than it has to skip."""
    rank = (timed * percent + 99) // 100
    duration = JobRunRow.duration_seconds
    longest = select(duration).where(*runs, duration.is_not(None)).order_by(duration.desc())
    return session.scalar(longest.limit(1).offset(timed - rank)) if timed else None


def _last(runs: list[ColumnElement[bool]]) -> Select[tuple[datetime, str]]:
    return select(JobRunRow.started_at, JobRunRow.status).where(*runs).order_by(JobRunRow.id.desc()).limit(1)


def _streak(session: Session, runs: list[ColumnElement[bool]], sums: Row[Any]) -> Streak | None:
    success, failure = sums.newest_success or 0, sums.newest_failure or 0
    if success == failure:
        return None
    status = names.STATUS_SUCCESS if success > failure else names.STATUS_FAILED
    since = JobRunRow.id > min(success, failure)
    count = select(func.count()).where(*runs, JobRunRow.status == status, since)
    return Streak(status, session.scalar(count) or 0)


def _rate(successes: int, failures: int) -> float | None:
    finished = successes + failures
    return round(100 * successes / finished, 2) if finished else None
