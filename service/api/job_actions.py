"""POST /jobs/{job_name}/run, …/pause and …/resume: run a job now, and pause its schedule."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field

from service.api.admission import admission, admit_action
from service.api.dependencies import RuntimeDep
from service.api.job_stats import JobName
from service.api.jobs import PauseOut
from service.api.problems import PROBLEM_RESPONSE
from service.scheduler.manual_runs import REQUESTED_BY
from service.scheduler.pauses import MAX_NAME_LENGTH, MAX_REASON_LENGTH

router = APIRouter(
    prefix="/jobs",
    tags=["jobs"],
    dependencies=[admission(admit_action)],
    responses=dict.fromkeys((403, 404, 415, 422, 503), PROBLEM_RESPONSE),
)


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


@router.post("/{job_name:path}/run", status_code=HTTPStatus.ACCEPTED, responses={409: PROBLEM_RESPONSE})
def run_job(job_name: JobName, request: Request, runtime: RuntimeDep, requested: Requested = None) -> RunStartedOut:
    """Run a job now, in this process, also if it is paused. The response comes when the run has begun.

    409 if a run of the job is active: it says since when, and who started it.
    """
    run = runtime.job_control.run_now(job_name, _requester(request, requested))
    return RunStartedOut(job_name=job_name, run_id=run.run_id, requested_by=run.metadata[REQUESTED_BY])


@router.post("/{job_name:path}/pause")
def pause_job(job_name: JobName, request: Request, runtime: RuntimeDep, pause: PauseIn) -> PauseStateOut:
    """Start no more scheduled runs of the job, on no machine, until it is resumed. An active run goes on."""
    paused = runtime.job_control.pause(job_name, _requester(request, pause), pause.reason)
    return PauseStateOut(job_name=job_name, paused=PauseOut.model_validate(paused))


@router.post("/{job_name:path}/resume")
def resume_job(job_name: JobName, request: Request, runtime: RuntimeDep, requested: Requested = None) -> PauseStateOut:
    """Start the scheduled runs of the job again, from the next one on. Harmless if it is not paused."""
    runtime.job_control.resume(job_name, _requester(request, requested))
    return PauseStateOut(job_name=job_name, paused=None)


def _requester(request: Request, requested: RequestedIn | None) -> str:
    if requested is not None and requested.by is not None and requested.by.strip():
        return requested.by
    return f"the API, from {request.client.host if request.client else 'an unknown address'}"
