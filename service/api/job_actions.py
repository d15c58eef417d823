"""POST /jobs/{job_name}/run, …/pause and …/resume: run a job now, pause its schedule."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Request

from service.api.dependencies import RuntimeDep
from service.api.edge.admission import admission, admit_action
from service.api.jobs import JOB_NOT_FOUND
from service.api.schemas.job_action_schemas import PauseIn, PauseStateOut, RequestedIn, RunStartedOut
from service.api.schemas.job_schemas import JobName, PauseOut
from service.api.schemas.problem_schemas import FOREIGN_PAGE, INVALID, UNAVAILABLE, problem_responses
from service.scheduler.manual_runs import REQUESTED_BY

_RUNNING: Final = problem_responses(
    {
        409: (
            "A run of the job is active. `detail` says since when, and who started it.",
            "sync_wb_reviews is running already, in process 4711 on shop-1, since 2025-10-02 12:00:00 UTC, started by the schedule.",
        )
    }
)
router = APIRouter(
    prefix="/jobs",
    tags=["jobs"],
    dependencies=[admission(admit_action)],
    responses=JOB_NOT_FOUND | FOREIGN_PAGE | INVALID | UNAVAILABLE,
)
Name = Annotated[JobName, Path(description="The name of the job, as `GET /jobs` lists it.")]
Requested = Annotated[RequestedIn | None, Body()]


@router.post(
    "/{job_name:path}/run",
    status_code=HTTPStatus.ACCEPTED,
    response_description="The run has begun.",
    responses=_RUNNING,
)
def run_job(job_name: Name, request: Request, runtime: RuntimeDep, requested: Requested = None) -> RunStartedOut:
    """Run a job now.

    The run is executed by the process that responds, also if the job is paused. The response comes when the run has begun.
    """
    run = runtime.job_commands.run_now(job_name, _requester(request, requested))
    return RunStartedOut(job_name=job_name, run_id=run.run_id, requested_by=run.metadata[REQUESTED_BY])


@router.post("/{job_name:path}/pause")
def pause_job(job_name: Name, request: Request, runtime: RuntimeDep, pause: PauseIn) -> PauseStateOut:
    """Pause a job.

    No process starts scheduled runs of the job until it is resumed. An active run goes on.
    """
    paused = runtime.job_commands.pause(job_name, _requester(request, pause), pause.reason)
    return PauseStateOut(job_name=job_name, paused=PauseOut.model_validate(paused))


@router.post("/{job_name:path}/resume")
def resume_job(job_name: Name, request: Request, runtime: RuntimeDep, requested: Requested = None) -> PauseStateOut:
    """Resume a job.

    Its scheduled runs start again, from the next one on. A job that is not paused stays as it is.
    """
    runtime.job_commands.resume(job_name, _requester(request, requested))
    return PauseStateOut(job_name=job_name, paused=None)


def _requester(request: Request, requested: RequestedIn | None) -> str:
    if requested is not None and requested.by is not None and requested.by.strip():
        return requested.by
    return f"the API, from {request.client.host if request.client else 'an unknown address'}"
