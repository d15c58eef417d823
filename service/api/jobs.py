"""GET /jobs, /jobs/status and /jobs/runs/{run_id}: the scheduled jobs, and their runs."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from service.api.dependencies import JobRunsDep, RuntimeDep, ScheduleDep
from service.api.edge.admission import admission, admit_query
from service.api.schemas.job_schemas import JobsOut, PauseOut, RunsOut, RunsQuery, ScheduledJobOut
from service.api.schemas.pagination import NEXT_PAGE, add_next_link
from service.api.schemas.parameters import EXPECTED
from service.api.schemas.problem_schemas import INVALID, UNAVAILABLE, problem_responses
from service.errors import Problem
from service.jobs.suspension import Suspension, suspensions
from service.scheduler.job import Job, Schedule, UnknownJob
from service.scheduler.monitoring.missed_runs import LAST_DAY, NO_MISSED_RUNS, MissedRuns, missed_runs
from service.scheduler.pauses import Pause, paused_jobs
from telemetry.jobs import JobRunRepository, JobRunRow, JobRunView

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[admission(admit_query)], responses=UNAVAILABLE)
JOB_NOT_FOUND: Final = problem_responses(
    {404: ("No job has this name. `detail` lists the names.", "There is no job 'sync'. There are: check_resources, …")}
)
_RunId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{48}$",
        description="The run, as `/jobs/status` lists it.",
        examples=["0af7651916cd" * 4],
        json_schema_extra={EXPECTED: "48 lowercase hexadecimal digits, as `run_id` of a run"},
    ),
]
_RUN_NOT_FOUND: Final = problem_responses(
    {404: ("No run has this id, or it was deleted.", f"There is no run {'0' * 48}. GET /jobs/status lists the runs.")}
)


class UnknownRun(Problem):
    """404: there is no run with that id."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id}. GET /jobs/status lists the runs.")


@router.get("")
def list_jobs(runs: JobRunsDep, schedule: ScheduleDep, runtime: RuntimeDep) -> JobsOut:
    """List the scheduled jobs.

    Each with its schedule, its state, its last and next run, and the runs that it missed. A job that lacks its configuration is
    listed with the reason.
    """
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
    changes: dict[str, object] = {"paused": PauseOut.model_validate(pause), "next_run": None}
    if listed.state in {"scheduled", "blocked"}:
        changes |= {"state": "paused", "reason": str(pause)}
    return listed.model_copy(update=changes)


def _listed(job: Job, reason: str | None, run: JobRunRow | None, missed: MissedRuns, now: datetime) -> ScheduledJobOut:
    return ScheduledJobOut(
        job_name=job.name,
        cadence=str(job.cadence),
        state="not scheduled" if reason else _state(run),
        reason=reason,
        last_run=run.started_at if run else None,
        last_status=run.status if run else None,
        last_cpu_seconds=run.cpu_seconds if run else None,
        last_cost_usd=run.cost_usd if run else None,
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


@router.get("/status", responses=NEXT_PAGE | JOB_NOT_FOUND | INVALID)
def list_runs(
    request: Request,
    response: Response,
    runs: JobRunsDep,
    schedule: ScheduleDep,
    query: Annotated[RunsQuery, Query()],
) -> RunsOut:
    """List the runs of jobs.

    Newest first, those that are still running included. Each is one row of the table `job_runs`, with the beginning of its stack.
    """
    if query.job_name is not None:
        require_known_job(query.job_name, runs, schedule)
    rows = runs.page(**query.model_dump())
    add_next_link(request, response, rows, query.limit)
    return RunsOut(runs=[JobRunView.in_list(row) for row in rows])


@router.get("/runs/{run_id}", responses=_RUN_NOT_FOUND | INVALID)
def read_run(
    run_id: _RunId,
    runs: JobRunsDep,
) -> JobRunView:
    """Read one run.

    It is one row of the table `job_runs`, with its whole stack.
    """
    if (row := runs.get(run_id)) is None:
        raise UnknownRun(run_id)
    return JobRunView.model_validate(row)


def require_known_job(job_name: str, runs: JobRunRepository, schedule: Schedule) -> None:
    """Raise unless the job is in the schedule, or has ever run.

    Raises:
        UnknownJob: the name is unknown.
    """
    scheduled = {job.name for job in schedule.jobs}
    if job_name not in scheduled and job_name not in (recorded := runs.names()):
        raise UnknownJob(job_name, scheduled.union(recorded))
