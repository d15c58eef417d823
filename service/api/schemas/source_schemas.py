"""Schemas of /sources."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class SourceOut(BaseModel):
    """One list of a marketplace."""

    marketplace: str = Field(description="The marketplace: `wb` or `ozon`.", examples=["wb"])
    source: str = Field(description="The name of the list.", examples=["wb.reviews.unanswered"])
    job_name: str = Field(description="The job that reads it.", examples=["sync_wb_reviews"])
    last_completed: datetime | None = Field(description="When it was last read to its end.")
    age_seconds: float | None = Field(
        description="Seconds since then. If it was never read to its end: since the first reading began.",
        examples=[412.0],
    )
    cadence_seconds: float = Field(description="It is to be read to its end every so many seconds.", examples=[900.0])
    stale: bool = Field(
        description="Whether the age is more than three times the cadence, or nothing was ever read.", examples=[False]
    )
    newest_row: datetime | None = Field(description="The time of the newest stored review or order of the marketplace.")
    position: dict[str, Any] = Field(
        description="The cursor: how far the list was read. Its fields depend on the source.", examples=[{"skip": 200}]
    )
    last_error: str | None = Field(
        description=(
            "Why it could not be read to its end, the last time that it could not; or, after `….reviews.single:`, why "
            "reviews that are missing in it could not be read one by one."
        ),
        examples=[None],
    )
    last_error_at: datetime | None = Field(description="When that was.", examples=[None])
    invalid_rows: int = Field(
        description="How many rows of the marketplace's reviews or orders the table `invalid_rows` has.", examples=[0]
    )
    rate_limited_until: datetime | None = Field(
        description="The marketplace accepts no calls before this time; null if it accepts them.", examples=[None]
    )
    credential_expires_at: datetime | None = Field(
        description="When the token or key expires; null if that is unknown.", examples=["2026-12-31T00:00:00Z"]
    )


class SourcesOut(BaseModel):
    """All sources at one time."""

    checked_at: datetime = Field(description="The time of these figures, by the database's clock.")
    sources: list[SourceOut] = Field(description="One entry for each list of the configured marketplaces.")
