"""A row of `job_runs` as the endpoints show it."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field

from telemetry.stacks.stack_capture import stack_summary


class JobRunView(BaseModel):
    """One run of a job: a row of the table `job_runs`."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: int = Field(description="The number of the run. A later one has a larger number.", examples=[1042])
    job_name: str = Field(description="The name of the job.", examples=["sync_wb_reviews"])
    started_at: datetime = Field(description="When it began.")
    finished_at: datetime | None = Field(
        description="When it ended; null while it is running.", examples=["2025-10-02T12:00:14Z"]
    )
    status: Literal["running", "success", "failed"] = Field(
        description="`failed` is any outcome but `success` and `skipped`.", examples=["success"]
    )
    outcome: Literal["success", "error", "timeout", "cancelled", "lost", "skipped"] | None = Field(
        description="How it ended; null while it is running. `lost`: its process ended without finishing it. `skipped`: it "
        "could only wait, such as for a rate limit.",
        examples=["success"],
    )
    duration_seconds: float | None = Field(
        description="How long it took, in seconds; null while it is running.", examples=[14.2]
    )
    error_message: str | None = Field(description="Why it failed, in at most 500 characters.", examples=[None])
    metadata: dict[str, Any] = Field(
        validation_alias="details",
        description="What the job reported: figures and notes of its own, at most 64 KiB.",
        examples=[{"new": 3, "changed": 1, "unchanged": 40}],
    )
    run_id: str = Field(
        description="The trace id, then the span id. It identifies the run.",
        examples=["0af7651916cd43dd8448eb211c80319cb7ad6b7169203331"],
    )
    trace_id: str = Field(
        description="Its trace, as 32 hexadecimal digits.", examples=["0af7651916cd43dd8448eb211c80319c"]
    )
    span_id: str = Field(description="Its span in the trace, as 16 hexadecimal digits.", examples=["b7ad6b7169203331"])
    scheduled_for: datetime | None = Field(description="The scheduled time; null for a run that was started by hand.")
    worker: str = Field(description="The process that ran it: host and process id.", examples=["shop-1:4242"])
    heartbeat_at: datetime | None = Field(description="When the process last reported that it is running.")
    deadline_at: datetime | None = Field(
        description="When it has to end: its start plus the job's limit; null without a limit.",
        examples=["2025-10-02T12:15:00Z"],
    )
    overdue_at: datetime | None = Field(
        description="When it was found to exceed the limit; null if it did not.", examples=[None]
    )
    slowest_child: str | None = Field(
        description="The name of the child spans that took the most time in total.", examples=["GET /api/v1/feedbacks"]
    )
    slowest_child_seconds: float | None = Field(description="How long these took, in seconds.", examples=[9.1])
    first_error: str | None = Field(description="The first child span that failed, and why.", examples=[None])
    overdue_stack: str | None = Field(
        description="What it executed when it exceeded the limit: the innermost frames of the application's own code, then "
        "its thread and tasks. At most 16,384 characters; in a list of runs the frames of the application alone.",
        examples=[None],
    )

    cpu_seconds: float | None = Field(
        None,
        description="The CPU time of the threads that worked for it, in seconds; null if it was not measured.",
        examples=[0.42],
    )
    cost_usd: float | None = Field(
        None,
        description="Its CPU time at `COST_CPU_HOUR_USD`, and what OpenAI charged, in US dollars; null if neither is known.",
        examples=[0.0031],
    )

    @classmethod
    def in_list(cls, row: object) -> Self:
        """A row as one of many, with the beginning of its stack: the whole stacks of a page may be megabytes."""
        view = cls.model_validate(row)
        stack = view.overdue_stack
        return view if stack is None else view.model_copy(update={"overdue_stack": stack_summary(stack)})

    @computed_field(  # type: ignore[prop-decorator]  # mypy knows no decorated property
        description="Seconds from the scheduled time until it began; null without a scheduled time.", examples=[0.6]
    )
    @property
    def delay_seconds(self) -> float | None:
        """Seconds from the scheduled time until it began."""
        return (self.started_at - self.scheduled_for).total_seconds() if self.scheduled_for else None
