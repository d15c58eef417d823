"""Schemas of what changes a job: run, pause and resume."""

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.job_schemas import PauseOut
from service.scheduler.pauses import MAX_NAME_LENGTH, MAX_REASON_LENGTH


class RequestedIn(BaseModel):
    """Who asks for a change of a job."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        description="Who asks, in their own words. By default the address of the client.",
        examples=["the release script"],
    )


class PauseIn(RequestedIn):
    """Why a job is paused, and who asks."""

    reason: str = Field(
        min_length=1,
        max_length=MAX_REASON_LENGTH,
        description="Why the job is paused. `GET /jobs` and the alert about a long pause show it.",
        examples=["the warehouse is moved"],
    )


class RunStartedOut(BaseModel):
    """A run that has begun."""

    job_name: str = Field(description="The name of the job.", examples=["sync_wb_reviews"])
    run_id: str = Field(
        description="The `run_id` of the run in `GET /jobs/status`.",
        examples=["0af7651916cd43dd8448eb211c80319cb7ad6b7169203331"],
    )
    requested_by: str = Field(
        description="Who asked for the run, as in its metadata.", examples=["the API, from 127.0.0.1"]
    )


class PauseStateOut(BaseModel):
    """Whether a job is paused now."""

    job_name: str = Field(description="The name of the job.", examples=["sync_wb_reviews"])
    paused: PauseOut | None = Field(description="The pause; null if the job is not paused.")
