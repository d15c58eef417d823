"""GET /jobs/stats/{job_name}: statistics of the runs of one job."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from service.api.dependencies import JobRunsDep, RuntimeDep, ScheduleDep
from service.api.edge.admission import admission, admit_query
from service.api.jobs import JOB_NOT_FOUND, require_known_job
from service.api.schemas.job_schemas import JobName
from service.api.schemas.job_stat_schemas import StatisticsOut
from service.api.schemas.parameters import Window
from service.api.schemas.problem_schemas import INVALID, UNAVAILABLE
from service.scheduler.job import Schedule
from service.scheduler.monitoring.missed_runs import NO_MISSED_RUNS, missed_runs
from telemetry.jobs import job_statistics

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[admission(admit_query)], responses=UNAVAILABLE)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MAX_WINDOW: Final = timedelta(days=36_500)


@router.get("/stats/{job_name:path}", responses=JOB_NOT_FOUND | INVALID)
def read_statistics(
    job_name: Annotated[JobName, Path(description="The name of the job, as `/jobs` lists it.")],
    runtime: RuntimeDep,
    runs: JobRunsDep,
    schedule: ScheduleDep,
    window: Annotated[
        Window | None, Query(description="Only runs that ended so long ago at most; by default all that are kept.")
    ] = None,
) -> StatisticsOut:
    """Show the statistics of one job.

    Its runs by outcome, success rate, durations and percentiles, the newest results in a row, the trend of its durations, and
    its days. Durations are in seconds.
    """
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
    """`90m`, `24h`, `7d`, as a duration of 100 years at most. The window has the form of `Window`."""
    number, unit = re.fullmatch(r"(\d+)(\w)", window).groups()  # type: ignore[union-attr]  # the query's pattern ensures a match
    return min(timedelta(**{_UNITS[unit]: int(number)}), _MAX_WINDOW)
