"""GET /sources: how fresh the data of each source is, and what keeps it from being read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.api.admission import admission, admit_query
from service.api.dependencies import RuntimeDep, ScheduleDep, SettingsDep
from service.api.problems import PROBLEM_RESPONSE
from service.database.tables import InvalidRow, OrderRow, ReviewRow
from service.names import REVIEWS
from service.sync.freshness.credentials import known_expiries
from service.sync.freshness.snapshot import SourceReading, read_rate_limits, read_readings, suspended_jobs
from service.sync.freshness.streams import MonitoredSource, Stream, monitored_sources
from telemetry.database import transaction

router = APIRouter(tags=["operations"], dependencies=[admission(admit_query)], responses={503: PROBLEM_RESPONSE})
_NEVER_READ = SourceReading({}, None, None)


class SourceOut(BaseModel):
    """One list of a marketplace."""

    marketplace: str
    source: str
    job_name: str
    last_completed: datetime | None = Field(description="when it was last read to its end")
    age_seconds: float | None = Field(
        description="since then, or, if it was never read to its end, since the first reading began"
    )
    cadence_seconds: float = Field(description="how often it is to be read to its end")
    stale: bool = Field(description="the age is more than three times the cadence, or nothing was ever read")
    newest_row: datetime | None = Field(description="the newest review or order of the marketplace that is stored")
    position: dict[str, Any] = Field(description="the cursor: how far it was read")
    last_error: str | None = Field(description="why it could not be read to its end, the last time that it could not")
    last_error_at: datetime | None
    invalid_rows: int = Field(description="rows of the marketplace's reviews or orders in the table invalid_rows")
    rate_limited_until: datetime | None = Field(description="until when the marketplace wants no calls")
    credential_expires_at: datetime | None = Field(description="when the token or key expires, if that is known")


class SourcesOut(BaseModel):
    checked_at: datetime
    sources: list[SourceOut]


@dataclass(frozen=True, slots=True)
class _Figures:
    now: datetime
    readings: Mapping[str, SourceReading]
    newest_rows: Mapping[str, datetime | None]
    invalid_rows: Mapping[str, int]
    rate_limits: Mapping[str, datetime]
    expiries: Mapping[str, datetime]
    suspended: frozenset[str]


@router.get("/sources")
def list_sources(runtime: RuntimeDep, schedule: ScheduleDep, settings: SettingsDep) -> SourcesOut:
    """Each source of the marketplaces that are configured: its last completed reading, its age, and its problems."""
    now = runtime.clock.last_now()
    sources = monitored_sources(schedule, settings, now)
    with transaction(runtime.engines.requests) as session:
        figures = _Figures(
            now=now,
            readings=read_readings(session),
            newest_rows={each.name: _newest_row(session, each) for each in {source.stream for source in sources}},
            invalid_rows=_invalid_rows(session),
            rate_limits=read_rate_limits(session, now),
            expiries=known_expiries(session, settings),
            suspended=suspended_jobs(session),
        )
    return SourcesOut(checked_at=now, sources=[_source(source, figures) for source in sources])


def _source(source: MonitoredSource, figures: _Figures) -> SourceOut:
    stream, reading = source.stream, figures.readings.get(source.name, _NEVER_READ)
    age, until = reading.age(figures.now), figures.rate_limits.get(stream.marketplace)
    return SourceOut(
        marketplace=stream.marketplace,
        source=source.name,
        job_name=stream.job_name,
        last_completed=reading.completed_at,
        age_seconds=None if age is None else age.total_seconds(),
        cadence_seconds=source.cadence.total_seconds(),
        stale=stream.job_name not in figures.suspended and (age is None or age > source.stale_after),
        newest_row=figures.newest_rows[stream.name],
        position=dict(reading.position),
        last_error=reading.last_error,
        last_error_at=reading.last_error_at,
        invalid_rows=figures.invalid_rows.get(stream.name, 0),
        rate_limited_until=until if until is not None and until > figures.now else None,
        credential_expires_at=figures.expiries.get(stream.marketplace),
    )


def _newest_row(session: Session, stream: Stream) -> datetime | None:
    if stream.kind == REVIEWS:
        return session.scalar(select(func.max(ReviewRow.created_at)).where(ReviewRow.marketplace == stream.marketplace))
    return session.scalar(select(func.max(OrderRow.ordered_at)).where(OrderRow.marketplace == stream.marketplace))


def _invalid_rows(session: Session) -> dict[str, int]:
    found = session.execute(select(InvalidRow.source, func.count()).group_by(InvalidRow.source))
    return dict(found.tuples().all())
