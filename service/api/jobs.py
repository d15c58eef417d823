"""GET /jobs and /jobs/status: the scheduled jobs, and their runs. POST /jobs/{job_name}/…: run a job now, pause its schedule."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.admission import admission, admit_action, admit_query
from service.api.dependencies import JobRunsDep, RuntimeDep, ScheduleDep
from service.api.pagination import Filters, add_next_link
from service.api.problems import PROBLEM_RESPONSE
from service.database.keyset import MAX_ID
from service.jobs.suspension import Suspension, suspensions
from service.scheduler.job import Job, Schedule, UnknownJob
from service.scheduler.manual_runs import REQUESTED_BY
from service.scheduler.monitoring.missed_runs import LAST_DAY, NO_MISSED_RUNS, MissedRuns, missed_runs
from service.scheduler.pauses import MAX_NAME_LENGTH, MAX_REASON_LENGTH, Pause, paused_jobs
from telemetry.jobs import JobRunRepository, JobRunRow, JobRunView

router = APIRouter(
    prefix="/jobs", tags=["jobs"], dependencies=[admission(admit_query)], responses={503: PROBLEM_RESPONSE}
)
actions = APIRouter(
    prefix="/jobs",
    tags=["jobs"],
    dependencies=[admission(admit_action)],
    responses=dict.fromkeys((403, 404, 415, 422, 503), PROBLEM_RESPONSE),
)
JobName = Annotated[str, Path(max_length=100, description="the job's name, as `/jobs` lists it")]


class RunsQuery(Filters):
    """Which runs. A filter that is there and empty (`?job_name=&status=`) filters nothing."""

    job_name: str | None = Field(None, max_length=100)
    status: Literal["running", "success", "failed"] | None = None
    outcome: Literal["success", "error", "timeout", "cancelled", "lost", "skipped"] | None = Field(
        None, description="`skipped` is a run that could only wait"
    )
    before: int | None = Field(None, ge=1, le=MAX_ID, description="only runs with a smaller id")
    limit: int = Field(50, ge=1, le=1000)


class RunsOut(BaseModel):
    runs: list[JobRunView]


class PauseOut(BaseModel):
    """Since when a person has paused a job, who, and why."""

    model_config = ConfigDict(from_attributes=True)

    since: datetime
    by: str
    reason: str


class ScheduledJobOut(BaseModel):
    job_name: str
    cadence: str
    state: Literal["scheduled", "running", "overdue", "paused", "not scheduled", "blocked"]
    reason: str | None = Field(
        description="why it is not scheduled, switched off or paused, or blocked: its runs cannot be claimed"
    )
    paused: PauseOut | None = Field(None, description="by whom and why it is paused; a run that is active goes on")
    last_run: datetime | None
    last_status: str | None
    next_run: datetime | None
    start_grace_seconds: float = Field(description="how long after its tick a run may begin")
    max_runtime_seconds: float | None = Field(description="how long a run may go on")
    missed_last_day: int = Field(description="ticks for which no run began in time, noticed in the last 24 hours")
    last_missed: datetime | None = Field(description="the last of such ticks, however long ago")
    downtime_last_day: int = Field(description="scheduled runs during which no scheduler was running")


class JobsOut(BaseModel):
    jobs: list[ScheduledJobOut]


@router.get("")
def list_jobs(runs: JobRunsDep, schedule: ScheduleDep, runtime: RuntimeDep) -> JobsOut:
    """The schedule: each job with its cadence, its last and next run, and its state."""
    now, blocked = runtime.clock.last_now(), runtime.scheduler.claim_problem()
    latest, missed = runs.latest(), missed_runs(runtime.engines.requests, now - LAST_DAY)
    off, paused = suspensions(runtime.engines.requests), paused_jobs(runtime.engines.requests)

    def listed(job: Job) -> ScheduledJobOut:
        numbers = missed.get(job.name, NO_MISSED_RUNS)
        found = _listed(job, schedule.missing(job), latest.get(job.name), numbers, now)
        found = _blocked(_switched_off(found, job, off.get(job.name), now), blocked)
        return _paused(found, paused.get(job.name))

    return JobsOut(jobs=[listed(job) for job in schedule.jobs])


def _switched_off(listed: ScheduledJobOut, job: Job, suspension: Suspension | None, now: datetime) -> ScheduledJobOut:
    """A job that is switched off does nothing until its first tick at which it tries again."""
    if suspension is None or listed.state != "scheduled":
        return listed
    retry = job.cadence.after(suspension.retry_at) if suspension.is_active(now) else listed.next_run
    return listed.model_copy(update={"state": "not scheduled", "reason": str(suspension), "next_run": retry})


def _blocked(listed: ScheduledJobOut, problem: str) -> ScheduledJobOut:
    """The job as it is while the scheduler cannot claim runs. A run that is active goes on."""
    if not problem or listed.state != "scheduled":
        return listed
    return listed.model_copy(update={"state": "blocked", "reason": f"The scheduler cannot claim runs: {problem}."})


def _paused(listed: ScheduledJobOut, pause: Pause | None) -> ScheduledJobOut:
    """A paused job has no next run. A run that is active goes on, and a job that cannot run says so."""
    if pause is None:
        return listed
    told: dict[str, object] = {"paused": PauseOut.model_validate(pause), "next_run": None}
    if listed.state in {"scheduled", "blocked"}:
        told |= {"state": "paused", "reason": str(pause)}
    return listed.model_copy(update=told)


def _listed(job: Job, reason: str | None, run: JobRunRow | None, missed: MissedRuns, now: datetime) -> ScheduledJobOut:
    return ScheduledJobOut(
        job_name=job.name,
        cadence=str(job.cadence),
        state="not scheduled" if reason else _state(run),
        reason=reason,
        last_run=run.started_at if run else None,
        last_status=run.status if run else None,
        next_run=None if reason else job.cadence.after(now),
        start_grace_seconds=job.start_grace.total_seconds(),
        max_runtime_seconds=job.max_runtime.total_seconds() if job.max_runtime else None,
        missed_last_day=missed.missed,
        last_missed=missed.last_missed,
        downtime_last_day=missed.downtime,
    )


def _state(run: JobRunRow | None) -> Literal["scheduled", "running", "overdue"]:
    if run is None or run.status != "running":
        return "scheduled"
    return "running" if run.overdue_at is None else "overdue"


@router.get("/status", responses={404: PROBLEM_RESPONSE, 422: PROBLEM_RESPONSE})
def list_runs(
    request: Request,
    response: Response,
    runs: JobRunsDep,
    schedule: ScheduleDep,
    query: Annotated[RunsQuery, Query()],
) -> RunsOut:
    """Runs, newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    if query.job_name is not None:
        require_known_job(query.job_name, runs, schedule)
    rows = runs.page(**query.model_dump())
    add_next_link(request, response, rows, query.limit)
    return RunsOut(runs=[JobRunView.model_validate(row) for row in rows])


def require_known_job(job_name: str, runs: JobRunRepository, schedule: Schedule) -> None:
    """Raise unless the job is in the schedule, or has ever run.

    Raises:
        UnknownJob: the name is unknown.
    """
    scheduled = {job.name for job in schedule.jobs}
    if job_name not in scheduled and job_name not in (recorded := runs.names()):
        raise UnknownJob(job_name, scheduled.union(recorded))


class RequestedIn(BaseModel):
    """Who asks, in their own words; by default the address of the client."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(None, min_length=1, max_length=MAX_NAME_LENGTH)


class PauseIn(RequestedIn):
    """Why the job is paused: others read it in the list of jobs, and in the alert about a long pause."""

    reason: str = Field(min_length=1, max_length=MAX_REASON_LENGTH)


class RunStartedOut(BaseModel):
    job_name: str
    run_id: str = Field(description="that of the run in `GET /jobs/status`")
    requested_by: str = Field(description="as in the metadata of the run")


class PauseStateOut(BaseModel):
    job_name: str
    paused: PauseOut | None


Requested = Annotated[RequestedIn | None, Body()]


@actions.post("/{job_name:path}/run", status_code=HTTPStatus.ACCEPTED, responses={409: PROBLEM_RESPONSE})
def run_job(job_name: JobName, request: Request, runtime: RuntimeDep, requested: Requested = None) -> RunStartedOut:
    """Run a job now, in this process, also if it is paused. The response comes when the run has begun.

    409 if a run of the job is active: it says since when, and who started it.
    """
    run = runtime.job_commands.run_now(job_name, _requester(request, requested))
    return RunStartedOut(job_name=job_name, run_id=run.run_id, requested_by=run.metadata[REQUESTED_BY])


@actions.post("/{job_name:path}/pause")
def pause_job(job_name: JobName, request: Request, runtime: RuntimeDep, pause: PauseIn) -> PauseStateOut:
    """Start no more scheduled runs of the job, on no machine, until it is resumed. An active run goes on."""
    paused = runtime.job_commands.pause(job_name, _requester(request, pause), pause.reason)
    return PauseStateOut(job_name=job_name, paused=PauseOut.model_validate(paused))


@actions.post("/{job_name:path}/resume")
def resume_job(job_name: JobName, request: Request, runtime: RuntimeDep, requested: Requested = None) -> PauseStateOut:
    """Start the scheduled runs of the job again, from the next one on. Harmless if it is not paused."""
    runtime.job_commands.resume(job_name, _requester(request, requested))
    return PauseStateOut(job_name=job_name, paused=None)


def _requester(request: Request, requested: RequestedIn | None) -> str:
    if requested is not None and requested.by is not None and requested.by.strip():
        return requested.by
    return f"the API, from {request.client.host if request.client else 'an unknown address'}"
