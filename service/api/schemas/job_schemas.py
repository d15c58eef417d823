"""Schemas of /jobs and /jobs/status."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.filters import Filters
from service.api.schemas.parameters import RowId, RunLimit
from telemetry.jobs import JobRunView

JobName = Annotated[str, Field(max_length=100, examples=["sync_wb_reviews"])]


class RunsQuery(Filters):
    """Which runs. A filter that is there and empty (`?job_name=&status=`) filters nothing."""

    job_name: JobName | None = Field(None, description="Only runs of this job.")
    status: Literal["running", "success", "failed"] | None = Field(
        None, description="Only runs with this status. `failed` is any outcome but `success` and `skipped`."
    )
    outcome: Literal["success", "error", "timeout", "cancelled", "lost", "skipped"] | None = Field(
        None, description="Only runs that ended so. A `skipped` run could only wait, such as for a rate limit."
    )
    before: RowId | None = Field(None, description="Only runs with a smaller id, for the next page.", examples=[1042])
    limit: RunLimit = 50


class RunsOut(BaseModel):
    """One page of runs."""

    runs: list[JobRunView] = Field(description="The runs, newest first.")


class PauseOut(BaseModel):
    """A pause of a job."""

    model_config = ConfigDict(from_attributes=True)

    since: datetime = Field(description="When the job was paused.")
    by: str = Field(description="Who paused it.", examples=["console, from 127.0.0.1"])
    reason: str = Field(description="Why it was paused.", examples=["the warehouse is moved"])


class ScheduledJobOut(BaseModel):
    """A job of the schedule."""

    job_name: str = Field(description="The name of the job.", examples=["sync_wb_reviews"])
    cadence: str = Field(description="How often it runs.", examples=["every 15 min"])
    state: Literal["scheduled", "running", "overdue", "paused", "not scheduled", "blocked"] = Field(
        description="`scheduled`: it waits for its next run. `running`: a run is active. `overdue`: a run exceeds "
        "`max_runtime_seconds`. `paused`: a person paused it. `not scheduled`: it does not run, for `reason`. `blocked`: its runs cannot be claimed.",
        examples=["scheduled"],
    )
    reason: str | None = Field(description="Why it is not scheduled, switched off, paused or blocked.", examples=[None])
    paused: PauseOut | None = Field(
        None, description="The pause; null if it is not paused. An active run goes on.", examples=[None]
    )
    last_run: datetime | None = Field(description="When its last run began; null if it never ran.")
    last_status: str | None = Field(
        description="The status of its last run: `running`, `success` or `failed`.", examples=["success"]
    )
    last_cpu_seconds: float | None = Field(
        None, description="The CPU time of its last run; null if it was not measured.", examples=[0.42]
    )
    last_cost_usd: float | None = Field(
        None, description="The cost of its last run in US dollars; null without a price.", examples=[0.0031]
    )
    next_run: datetime | None = Field(
        description="When its next run is due; null if none is.", examples=["2025-10-02T12:15:00Z"]
    )
    start_grace_seconds: float = Field(
        description="A run may begin so many seconds after its scheduled time. Later it counts as missed.",
        examples=[300.0],
    )
    max_runtime_seconds: float | None = Field(
        description="A run may last so many seconds; null without a limit.", examples=[900.0]
    )
    missed_last_day: int = Field(
        description="How many runs of the last 24 hours did not begin in time, though a scheduler was running.",
        examples=[0],
    )
    last_missed: datetime | None = Field(
        description="The scheduled time of the last such run, however long ago.", examples=[None]
    )
    downtime_last_day: int = Field(
        description="How many runs of the last 24 hours were due while no scheduler was running.", examples=[0]
    )


class JobsOut(BaseModel):
    """The schedule."""

    jobs: list[ScheduledJobOut] = Field(description="Every job that this service knows, scheduled or not.")
