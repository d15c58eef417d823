"""Rolls up the runs of past days into one row per job and day, which stays when the runs are pruned."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Engine, and_, delete, func, or_, select, text
from sqlalchemy.orm import Session

from telemetry import semconv
from telemetry.database import transaction
from telemetry.jobs.run import JobRun
from telemetry.jobs.store.daily_totals import DAY, DailyTotals, day_of, midnight, missing_days
from telemetry.jobs.store.quantile_sketch import QuantileSketch
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow

SETTLE_TIME: Final = timedelta(hours=1)
"""A day is rolled up this long after midnight: the clocks of several machines may differ."""
REFRESHED_DAYS: Final = 2
"""This many of the newest days are rolled up again each time: a run marked as lost before midnight may turn out to be alive."""
_OUTCOMES_BY_STATUS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    semconv.STATUS_SUCCESS: (semconv.OUTCOME_SUCCESS, frozenset({semconv.OUTCOME_SKIPPED})),
    semconv.STATUS_FAILED: (
        semconv.OUTCOME_ERROR,
        frozenset({semconv.OUTCOME_TIMEOUT, semconv.OUTCOME_CANCELLED, semconv.OUTCOME_LOST}),
    ),
}
"""The outcome of a run that has none, and the more specific ones."""
_LOCK_ID: Final = 7_305_482_211  # an arbitrary number; no other advisory lock uses it


def roll_up(
    engine: Engine, job_names: Iterable[str], now: datetime, on_progress: Callable[[int], None] | None = None
) -> int:
    """Roll up all past days of these jobs that have no roll-up yet. Idempotent, and safe to call concurrently.

    Args:
        engine: the database.
        job_names: the jobs.
        now: the current time.
        on_progress: called after each day with the number of days so far.

    Returns:
        How many days were rolled up.
    """
    rolled = 0
    for job_name in job_names:
        for day in _days_to_roll_up(engine, job_name, now):
            with transaction(engine) as session:
                _roll_up(session, job_name, day)
            rolled += 1
            if on_progress is not None:
                on_progress(rolled)
    return rolled


def _days_to_roll_up(engine: Engine, job_name: str, now: datetime) -> list[date]:
    """The days to roll up. Days without runs between others get a row too, so that a gap means a missing roll-up."""
    last = day_of(now - SETTLE_TIME) - DAY
    row, ended = JobRunDayRow, JobRunRow.finished_at
    with transaction(engine) as session:
        known = session.execute(select(row.day, row.is_pruned).where(row.job_name == job_name)).all()
        first_run, last_run = session.execute(
            select(func.min(ended), func.max(ended)).where(JobRunRow.job_name == job_name, ended < midnight(last + DAY))
        ).one()
    to_refresh = [day for day, is_pruned in known if not is_pruned and day > last - REFRESHED_DAYS * DAY]
    if first_run is None or last_run is None:
        return to_refresh
    days = [day for day, _ in known]
    return sorted([*to_refresh, *missing_days(days, min([day_of(first_run), *days]), day_of(last_run))])


def _roll_up(session: Session, job_name: str, day: date) -> None:
    """Replace the roll-up of a day, unless its runs are pruned. The lock excludes writers to this day meanwhile."""
    _lock(session)
    row = JobRunDayRow
    where = (row.job_name == job_name, row.day == day)
    session.execute(delete(row).where(*where, row.is_pruned.is_(False)))
    if session.scalar(select(row.day).where(*where)) is not None:
        return
    totals, durations, successes = DailyTotals(), QuantileSketch(), QuantileSketch()
    run = JobRunRow
    runs = select(run.status, run.outcome, run.duration_seconds, run.finished_at).where(
        run.job_name == job_name, run.finished_at >= midnight(day), run.finished_at < midnight(day + DAY)
    )
    for status, outcome, seconds, finished_at in session.execute(runs.execution_options(yield_per=1000)):
        run_totals = totals_of_run(status, outcome, seconds, finished_at)
        totals.merge(run_totals)
        if seconds is not None:
            durations.add(seconds)
            if run_totals.success:
                successes.add(seconds)
    session.add(
        row(
            job_name=job_name,
            day=day,
            **{name: getattr(totals, name) for name in DailyTotals.__slots__},
            durations=durations.stored(),
            success_durations=successes.stored(),
            is_pruned=False,
        )
    )


def totals_of_run(status: str, outcome: str | None, seconds: float | None, finished_at: datetime) -> DailyTotals:
    """The totals of one run. Its outcome counts if it belongs to the status."""
    usual, others = _OUTCOMES_BY_STATUS.get(status, _OUTCOMES_BY_STATUS[semconv.STATUS_FAILED])
    word = outcome if outcome in others else usual
    return DailyTotals(
        **{str(word): 1},
        timed=int(seconds is not None),
        seconds=seconds or 0.0,
        last_success=finished_at if word == semconv.OUTCOME_SUCCESS else None,
    )


def invalidate_rollups(session: Session, runs: Sequence[JobRun], today: date) -> None:
    """Delete the roll-ups of past days on which these runs ended, since they are being written now. Rarely deletes any."""
    late = {(run.job_name, day_of(run.finished_at)) for run in runs if run.finished_at is not None}
    late = {(job_name, day) for job_name, day in late if day < today}
    if not late:
        return
    _lock(session)
    row = JobRunDayRow
    days = or_(*(and_(row.job_name == job_name, row.day == day) for job_name, day in sorted(late)))
    session.execute(delete(row).where(days, row.is_pruned.is_(False)))


def _lock(session: Session) -> None:
    """Serialize with other roll-ups. SQLite has only one writer at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_ID})
