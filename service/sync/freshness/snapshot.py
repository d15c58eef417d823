"""Reads from the database how fresh the data is: one snapshot, the same in every process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.database.clock import CLOCK_TOLERANCE
from service.database.freshness_tables import SentAlertRow
from service.database.schedule_tables import JobSuspensionRow
from service.database.tables import DUE, UNANSWERED, AdviceRow, RateLimitRow, ReviewRow, SyncPositionRow
from service.integrations.http.rate_limiter import MAX_BLOCK_SECONDS
from service.names import DRAFTED
from service.settings import Settings
from service.sync.freshness.credentials import known_expiries
from service.sync.freshness.streams import STREAMS
from service.sync.ingestion import COUNTED
from telemetry.jobs import JobRunRow

_NEWEST_DRAFTS: Final = 1000
_MAX_BLOCK: Final = timedelta(seconds=MAX_BLOCK_SECONDS) + CLOCK_TOLERANCE


@dataclass(frozen=True, slots=True)
class SourceReading:
    """How far a source was read. `completed_at` is None if it was never read to its end."""

    position: Mapping[str, Any]
    began_at: datetime | None
    completed_at: datetime | None
    last_error: str | None = None
    last_error_at: datetime | None = None

    def age(self, now: datetime) -> timedelta | None:
        """Since the newest completed reading, or, without one, since the first began.

        A timestamp in the future was written before the clock was set back. It does not count.
        """
        known = (moment for moment in (self.completed_at, self.began_at) if moment is not None)
        since = next((moment for moment in known if moment <= now + CLOCK_TOLERANCE), None)
        return None if since is None else max(timedelta(0), now - since)


@dataclass(frozen=True, slots=True)
class WaitingReviews:
    """Reviews without an answer. `oldest` is when the marketplace got the oldest of them."""

    number: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class DraftingState:
    """The queue of drafts.

    Attributes:
        due: how many reviews are due for a draft now.
        newest_draft: when the newest usable draft was made.
        failing: of how many reviews a draft was tried since then, without a usable one.
    """

    due: int = 0
    newest_draft: datetime | None = None
    failing: int = 0


@dataclass(frozen=True, slots=True)
class LastRun:
    """The rows that the newest finished run of a sync has seen."""

    rows: int
    invalid: int


@dataclass(frozen=True, slots=True)
class FreshnessSnapshot:
    """All figures at one time, by the database's clock.

    Attributes:
        readings: by the source's name.
        waiting: by marketplace and rating.
        last_runs: by the stream's name.
        rate_limited_until: by service; the past for one that may be called.
        expiries: of credentials, by service.
        sent: the keys of alerts that a process has sent.
        suspended: the jobs that are switched off, whose sources are not stale.
    """

    taken_at: datetime
    readings: Mapping[str, SourceReading]
    waiting: Mapping[tuple[str, int], WaitingReviews]
    without_draft: int
    drafting: DraftingState
    last_runs: Mapping[str, LastRun]
    rate_limited_until: Mapping[str, datetime]
    expiries: Mapping[str, datetime]
    sent: frozenset[str]
    suspended: frozenset[str] = frozenset()


def read_snapshot(session: Session, settings: Settings, now: datetime) -> FreshnessSnapshot:
    """Read all figures.

    Raises:
        SQLAlchemyError: the database is unavailable.
    """
    return FreshnessSnapshot(
        taken_at=now,
        readings=read_readings(session),
        waiting=_waiting(session),
        without_draft=_without_draft(session),
        drafting=_drafting(session, now),
        last_runs=_last_runs(session),
        rate_limited_until=read_rate_limits(session, now),
        expiries=known_expiries(session, settings),
        sent=frozenset(session.scalars(select(SentAlertRow.key))),
        suspended=suspended_jobs(session),
    )


def suspended_jobs(session: Session) -> frozenset[str]:
    return frozenset(session.scalars(select(JobSuspensionRow.job_name)))


def read_readings(session: Session) -> dict[str, SourceReading]:
    row = SyncPositionRow
    columns = select(row.name, row.position, row.began_at, row.completed_at, row.last_error, row.last_error_at)
    return {name: SourceReading(*values) for name, *values in session.execute(columns)}


def read_rate_limits(session: Session, now: datetime) -> dict[str, datetime]:
    """Until when each service wants no calls. A time beyond the longest wait is from another clock, and left out."""
    found: dict[str, datetime] = {}
    for key, seconds in session.execute(select(RateLimitRow.key, RateLimitRow.blocked_until)):
        service, *_ = key.partition(":")
        if 0 < seconds <= (now + _MAX_BLOCK).timestamp():
            until = datetime.fromtimestamp(seconds, UTC)
            found[service] = max(until, found.get(service, until))
    return found


def _waiting(session: Session) -> dict[tuple[str, int], WaitingReviews]:
    row = ReviewRow
    numbers = select(row.marketplace, row.rating, func.count(), func.min(row.created_at))
    found = session.execute(numbers.where(UNANSWERED).group_by(row.marketplace, row.rating))
    return {(marketplace, rating): WaitingReviews(number, oldest) for marketplace, rating, number, oldest in found}


def _without_draft(session: Session) -> int:
    draft = select(AdviceRow.id).where(AdviceRow.review_id == ReviewRow.id, AdviceRow.outcome == DRAFTED)
    return session.scalar(select(func.count()).select_from(ReviewRow).where(UNANSWERED, ~draft.exists())) or 0


def _drafting(session: Session, now: datetime) -> DraftingState:
    """Looks at the newest attempts only: the table grows for ever."""
    columns = select(AdviceRow.id, AdviceRow.review_id, AdviceRow.outcome, AdviceRow.created_at)
    newest = columns.order_by(AdviceRow.id.desc()).limit(_NEWEST_DRAFTS).subquery()
    drafted = select(func.max(newest.c.id), func.max(newest.c.created_at)).where(newest.c.outcome == DRAFTED)
    last_id, drafted_at = session.execute(drafted).one()
    since = select(func.count(newest.c.review_id.distinct())).where(newest.c.id > (last_id or 0))
    due = select(func.count()).select_from(ReviewRow).where(DUE, ReviewRow.advice_due_at <= now)
    return DraftingState(session.scalar(due) or 0, drafted_at, session.scalar(since) or 0)


def _last_runs(session: Session) -> dict[str, LastRun]:
    found = {}
    for stream in STREAMS:
        row = JobRunRow
        runs = select(row.details).where(row.job_name == stream.job_name, row.finished_at.is_not(None))
        details = session.scalar(runs.order_by(row.id.desc()).limit(1))
        if details is not None:
            numbers = [_number(details.get(status)) for status in COUNTED]
            found[stream.name] = LastRun(sum(numbers), numbers[-1])
    return found


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
