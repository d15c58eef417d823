"""The statistics of a job, from the rows of its runs and from the roll-ups of past days."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from telemetry import semconv
from telemetry.database import transaction
from telemetry.jobs.statistics.duration_trend import BASELINE_WINDOW, RECENT_RUNS, DurationTrend, duration_trend
from telemetry.jobs.statistics.history import History
from telemetry.jobs.statistics.run_costs import NO_COSTS, RunCosts, run_costs
from telemetry.jobs.statistics.streaks import RunStreak, current_streak
from telemetry.jobs.store.daily_totals import DailyTotals
from telemetry.jobs.store.quantile_sketch import DIGITS

MAX_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class JobDay:
    """The runs that ended on one UTC day, by outcome."""

    day: date
    success: int
    error: int
    timeout: int
    cancelled: int
    lost: int
    avg_duration_seconds: float | None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """The statistics of a job; values without data are None.

    `total_runs` includes running ones; `success_rate` is the percentage of ended runs, without
    the skipped ones, which are no successes either. `last_run` is the start of the newest run,
    `last_success` the end of the newest success. Percentiles are by nearest rank: exact while all durations are in rows, and with
    an error of one percent if days are rolled up. `by_day` has the newest 30 days that have runs, the oldest first.
    """

    job_name: str
    total_runs: int
    successful_runs: int
    failed_runs: int
    error_runs: int
    timeout_runs: int
    cancelled_runs: int
    lost_runs: int
    success_rate: float | None
    avg_duration_seconds: float | None
    last_run: datetime | None
    last_status: str | None
    running_runs: int
    p50_duration_seconds: float | None
    p95_duration_seconds: float | None
    p99_duration_seconds: float | None
    current_streak: RunStreak | None
    last_success: datetime | None
    window_seconds: float | None
    trend: DurationTrend
    by_day: tuple[JobDay, ...]
    skipped_runs: int = 0
    costs: RunCosts = NO_COSTS


def job_statistics(
    engine: Engine, job_name: str, *, window: timedelta | None = None, now: datetime | None = None
) -> JobStatistics:
    """Compute the statistics of a job.

    Args:
        engine: the database.
        job_name: the job; one without runs has zeros and None.
        window: count only runs that ended within this time before `now`, and running ones; by default all. If only the
            roll-up is left of the day on which the window starts, it starts with the next day.
        now: the end of the window; by default the current time.
    """
    now = now or datetime.now(UTC)
    since = None if window is None else now - window
    with transaction(engine) as session:
        history = History(session, job_name, since)
        totals, running, last = history.totals, history.count_running(), history.last_run()
        p50, p95, p99 = history.percentiles(50, 95, 99)
        return JobStatistics(
            job_name=job_name,
            total_runs=totals.ended + running,
            **_counts(totals),
            success_rate=round(100 * totals.success / totals.judged, 2) if totals.judged else None,
            avg_duration_seconds=_average(totals),
            last_run=last[0] if last else None,
            last_status=last[1] if last else None,
            running_runs=running,
            p50_duration_seconds=p50,
            p95_duration_seconds=p95,
            p99_duration_seconds=p99,
            current_streak=current_streak(history),
            last_success=totals.last_success,
            window_seconds=window.total_seconds() if window is not None else None,
            trend=_trend(session, job_name, now),
            costs=run_costs(session, job_name, since),
            by_day=tuple(_day(day, history.days[day]) for day in sorted(history.days)[-MAX_DAYS:]),
        )


def _counts(totals: DailyTotals) -> dict[str, int]:
    return {
        "successful_runs": totals.success,
        "failed_runs": totals.failed,
        "error_runs": totals.error,
        "timeout_runs": totals.timeout,
        "cancelled_runs": totals.cancelled,
        "lost_runs": totals.lost,
        "skipped_runs": totals.skipped,
    }


def _average(totals: DailyTotals) -> float | None:
    return round(totals.seconds / totals.timed, DIGITS) if totals.timed else None


def _day(day: date, totals: DailyTotals) -> JobDay:
    by_outcome = {outcome: getattr(totals, outcome) for outcome in semconv.OUTCOMES}
    return JobDay(day, **by_outcome, avg_duration_seconds=_average(totals))


def _trend(session: Session, job_name: str, now: datetime) -> DurationTrend:
    past = History(session, job_name, now - BASELINE_WINDOW)
    recent = past.newest_successes(RECENT_RUNS)
    durations = past.success_durations()
    for seconds, ended in recent:
        if ended >= now - BASELINE_WINDOW:
            durations.discard(seconds)
    return duration_trend([seconds for seconds, _ in recent], durations)
