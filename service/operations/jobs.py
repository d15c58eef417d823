"""GET /jobs and /jobs/status: what runs, and what ran."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.errors import PROBLEM, Problem
from service.operations.dependencies import ScheduleDep, TelemetryDep
from service.paging import LARGEST_ID, Filters, link_next
from service.schedule import Schedule
from service.scheduler import utcnow
from telemetry.setup import Telemetry

router = APIRouter(prefix="/jobs", tags=["jobs"])


class NoSuchJob(Problem):
    status = 404

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no job {name!r}. There are: {', '.join(sorted(known)) or 'none'}.")


class JobRunOut(BaseModel):
    """One row of `job_runs`."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: int
    job_name: str
    started_at: datetime
    finished_at: datetime | None
    status: Literal["running", "success", "failed"]
    outcome: Literal["success", "error", "timeout", "cancelled", "lost"] | None
    duration_seconds: float | None
    error_message: str | None
    metadata: dict[str, Any] = Field(validation_alias="details")
    run_id: str
    trace_id: str
    span_id: str
    scheduled_for: datetime | None
    worker: str
    heartbeat_at: datetime | None


class RunsQuery(Filters):
    """Which runs. A filter that is there and empty (`?job_name=&status=`) filters nothing."""

    job_name: str | None = Field(None, max_length=100)
    status: Literal["running", "success", "failed"] | None = None
    before: int | None = Field(None, ge=1, le=LARGEST_ID, description="only runs with a smaller id")
    limit: int = Field(50, ge=1, le=1000)


class RunsOut(BaseModel):
    runs: list[JobRunOut]


class ScheduledJobOut(BaseModel):
    job_name: str
    cadence: str
    state: Literal["scheduled", "running", "not scheduled"]
    reason: str | None = Field(description="why it is not scheduled")
    last_run: datetime | None
    last_status: str | None
    next_run: datetime | None


class JobsOut(BaseModel):
    jobs: list[ScheduledJobOut]


@router.get("")
def list_jobs(telemetry: TelemetryDep, schedule: ScheduleDep) -> JobsOut:
    """The schedule: each job with its cadence, its last and next run, and its state."""
    last, now = telemetry.store.latest(), utcnow()
    listed = []
    for job in schedule.jobs:
        run, reason = last.get(job.name), schedule.missing(job)
        running = run is not None and run.status == "running"
        listed.append(
            ScheduledJobOut(
                job_name=job.name,
                cadence=str(job.cadence),
                state="not scheduled" if reason else "running" if running else "scheduled",
                reason=reason,
                last_run=run.started_at if run else None,
                last_status=run.status if run else None,
                next_run=None if reason else job.cadence.after(now),
            )
        )
    return JobsOut(jobs=listed)


@router.get("/status", responses={404: PROBLEM, 422: PROBLEM})
def list_runs(
    request: Request,
    response: Response,
    telemetry: TelemetryDep,
    schedule: ScheduleDep,
    query: Annotated[RunsQuery, Query()],
) -> RunsOut:
    """Runs, newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    if query.job_name is not None:
        must_be_known(query.job_name, telemetry, schedule)
    rows = telemetry.store.page(**query.model_dump())
    link_next(request, response, rows, query.limit)
    return RunsOut(runs=[JobRunOut.model_validate(row) for row in rows])


def must_be_known(job_name: str, telemetry: Telemetry, schedule: Schedule) -> None:
    """Known are the jobs of the schedule and those that ever ran."""
    scheduled = {job.name for job in schedule.jobs}
    if job_name not in scheduled and job_name not in (recorded := telemetry.store.names()):
        raise NoSuchJob(job_name, [*scheduled.union(recorded)])
