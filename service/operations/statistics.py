"""GET /jobs/stats/{job_name}: how well a job does."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from service.errors import PROBLEM
from service.operations.dependencies import ScheduleDep, TelemetryDep
from service.operations.jobs import must_be_known
from service.schedule import Schedule
from service.scheduler import utcnow
from telemetry.jobs.stats import statistics

router = APIRouter(prefix="/jobs", tags=["jobs"])

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WINDOW: Final = r"^[1-9][0-9]{0,4}[smhdw]$"
_LONGEST: Final = timedelta(days=36_500)
JobName = Annotated[str, Path(max_length=100, description="the job's name, as `/jobs` lists it")]


class StreakOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    status: Literal["success", "failed"]
    runs: int


class StatisticsOut(BaseModel):
    """Durations in seconds; `success_rate` in percent of the runs that ended."""

    model_config = ConfigDict(from_attributes=True)

    job_name: str
    total_runs: int
    successful_runs: int
    failed_runs: int
    running_runs: int
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


@router.get("/stats/{job_name}", responses={404: PROBLEM, 422: PROBLEM})
def read_statistics(
    job_name: JobName,
    telemetry: TelemetryDep,
    schedule: ScheduleDep,
    window: Annotated[str | None, Query(pattern=_WINDOW, description="such as 90m, 24h, 7d; by default all")] = None,
) -> StatisticsOut:
    """How a job has done, over a window that ends now or over all that is kept."""
    must_be_known(job_name, telemetry, schedule)
    now = utcnow()
    length = _length(window) if window else None
    found = StatisticsOut.model_validate(statistics(telemetry.engine, job_name, window=length, now=now))
    found.next_run = _next_run(job_name, schedule, now)
    return found


def _next_run(job_name: str, schedule: Schedule, now: datetime) -> datetime | None:
    return next((job.cadence.after(now) for job in schedule.scheduled() if job.name == job_name), None)


def _length(window: str) -> timedelta:
    number, unit = re.fullmatch(r"(\d+)(\w)", window).groups()  # type: ignore[union-attr]  # the query's pattern says so
    return min(timedelta(**{_UNITS[unit]: int(number)}), _LONGEST)
