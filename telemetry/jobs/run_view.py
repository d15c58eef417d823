"""A row of `job_runs` as the endpoints show it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field


class JobRunView(BaseModel):
    """One row of `job_runs`."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: int
    job_name: str
    started_at: datetime
    finished_at: datetime | None
    status: Literal["running", "success", "failed"]
    outcome: Literal["success", "error", "timeout", "cancelled", "lost", "skipped"] | None
    duration_seconds: float | None
    error_message: str | None
    metadata: dict[str, Any] = Field(validation_alias="details")
    run_id: str
    trace_id: str
    span_id: str
    scheduled_for: datetime | None
    worker: str
    heartbeat_at: datetime | None
    deadline_at: datetime | None
    overdue_at: datetime | None
    slowest_child: str | None
    slowest_child_seconds: float | None
    first_error: str | None

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def delay_seconds(self) -> float | None:
        """How long after its tick it began."""
        return (self.started_at - self.scheduled_for).total_seconds() if self.scheduled_for else None
