"""GET /jobs/stats/{job_name}: statistics of the runs of one job."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from service.api.admission import admission, admit_query
from service.api.dependencies import JobRunsDep, RuntimeDep, ScheduleDep
from service.api.jobs import JobName, require_known_job
from service.api.problems import PROBLEM_RESPONSE
from service.scheduler.job import Schedule
from service.scheduler.monitoring.missed_runs import NO_MISSED_RUNS, missed_runs
from telemetry.jobs import job_statistics

router = APIRouter(
    prefix="/jobs", tags=["jobs"], dependencies=[admission(admit_query)], responses={503: PROBLEM_RESPONSE}
)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WINDOW_PATTERN: Final = r"^[1-9][0-9]{0,4}[smhdw]$"
_MAX_WINDOW: Final = timedelta(days=36_500)


class StreakOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    status: Literal["success", "failed"]
    runs: int


class TrendOut(BaseModel):
    """The median of the newest five successes against that of the past 30 days; durations in seconds.

    `fast` is as much of a warning as `slow`: a job that took 50 minutes and now takes 2 is broken, too. `unknown`: there are
    too few successes to compare with.
    """

    model_config = ConfigDict(from_attributes=True)

    verdict: Literal["usual", "slow", "fast", "unknown"]
    recent_seconds: float | None
    usual_seconds: float | None
    ratio: float | None


class DayOut(BaseModel):
    """The runs that ended on a day of UTC, by their outcome; the average of their durations in seconds."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    success: int
    error: int
    timeout: int
    cancelled: int
    lost: int
    skipped: int
    avg_duration_seconds: float | None


class StatisticsOut(BaseModel):
    """Of the runs that ended within the window or still run. Durations in seconds; `success_rate` in percent of those that ended and
    were not skipped: a run that could only wait is neither a success nor a failure.

    `missed_runs` are ticks for which no run began in time, `downtime_ticks` those during which no scheduler was running. `by_day` has the
    newest 30 days that have runs, the oldest first.
    """

    model_config = ConfigDict(from_attributes=True)

    job_name: str
    total_runs: int
    successful_runs: int
    failed_runs: int
    error_runs: int
    timeout_runs: int
    cancelled_runs: int
    lost_runs: int
    skipped_runs: int
    running_runs: int
    missed_runs: int = 0
    downtime_ticks: int = 0
    success_rate: float | None
    avg_duration_seconds: float | None
    p50_duration_seconds: float | None
    p95_duration_seconds: float | None
    p99_duration_seconds: float | None
    current_streak: StreakOut | None
    last_run: datetime | None
    last_status: str | None
    last_success: datetime | None
    next_run: datetime | None = None
    window_seconds: float | None
    trend: TrendOut
    by_day: list[DayOut]


@router.get("/stats/{job_name:path}", responses={404: PROBLEM_RESPONSE, 422: PROBLEM_RESPONSE})
def read_statistics(
    job_name: JobName,
    runtime: RuntimeDep,
    runs: JobRunsDep,
    schedule: ScheduleDep,
    window: Annotated[
        str | None, Query(pattern=_WINDOW_PATTERN, description="such as 90m, 24h, 7d; by default all")
    ] = None,
) -> StatisticsOut:
    """How a job has done, over a window that ends now or over all that is kept."""
    require_known_job(job_name, runs, schedule)
    now = runtime.clock.last_now()
    duration = parse_window(window) if window else None
    result = StatisticsOut.model_validate(job_statistics(runtime.engines.requests, job_name, window=duration, now=now))
    result.next_run = _next_run(job_name, schedule, now)
    missed = missed_runs(runtime.engines.requests, now - (duration or _MAX_WINDOW)).get(job_name, NO_MISSED_RUNS)
    result.missed_runs, result.downtime_ticks = missed.missed, missed.downtime
    return result


def _next_run(job_name: str, schedule: Schedule, now: datetime) -> datetime | None:
    return next((job.cadence.after(now) for job in schedule.scheduled() if job.name == job_name), None)


def parse_window(window: str) -> timedelta:
    """`90m`, `24h`, `7d`, as a duration of 100 years at most. The window has the form of `_WINDOW_PATTERN`."""
    number, unit = re.fullmatch(r"(\d+)(\w)", window).groups()  # type: ignore[union-attr]  # the query's pattern ensures a match
    return min(timedelta(**{_UNITS[unit]: int(number)}), _MAX_WINDOW)
