"""GET /sources: how fresh the data of each source is, and what keeps it from being read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.api.dependencies import RuntimeDep, ScheduleDep, SettingsDep
from service.api.edge.admission import admission, admit_query
from service.api.schemas.problem_schemas import UNAVAILABLE
from service.api.schemas.source_schemas import SourceOut, SourcesOut
from service.database.tables import InvalidRow, OrderRow, ReviewRow
from service.names import REVIEWS
from service.sync.freshness.credentials import known_expiries
from service.sync.freshness.snapshot import SourceReading, read_rate_limits, read_readings, suspended_jobs
from service.sync.freshness.streams import MonitoredSource, Stream, monitored_sources
from telemetry.database import transaction

router = APIRouter(tags=["monitoring"], dependencies=[admission(admit_query)], responses=UNAVAILABLE)
_NEVER_READ = SourceReading({}, None, None)


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
    """List the sources and how fresh their data is.

    A source is one list of a configured marketplace. Each has its last completed reading, its age, its cursor, and what keeps
    it from being read.
    """
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
