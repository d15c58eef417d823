"""A rate limiter whose state is in the database, shared by all processes and machines.

Token buckets by the generic cell rate algorithm (GCRA): the state is one timestamp, at which the bucket is full again.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from service.database.clock import CLOCK_TOLERANCE, Clock, database_now
from service.database.tables import RateLimitRow
from telemetry.database import transaction

_MAX_QUEUE_SECONDS: Final = 600.0
MAX_BLOCK_SECONDS: Final = 86_400.0
"""The longest wait, whatever a service asks for."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`burst` calls at once, then one per `interval` seconds. The key names the API and the account, never a token."""

    key: str
    interval: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Reservation:
    """The next call may begin in `wait` seconds. It is reserved for the caller if `granted`."""

    wait: float
    granted: bool


class RateLimiter:
    """Uses the database's clock on PostgreSQL, since machines' clocks differ, and `clock` (Unix seconds) on SQLite."""

    def __init__(self, engine: Engine, clock: Clock = time.time) -> None:
        self._engine = engine
        self._dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._clock = clock

    def reserve(self, limit: RateLimit, patience: float) -> Reservation:
        """Reserve the next call if it may begin within `patience` seconds. At most ten minutes are queued.

        An unused reservation is lost.
        """
        now, bucket = self._now(), limit.burst * limit.interval
        latest = _latest_full(limit, now)
        full, blocked = _stored_state(now, latest)
        full += limit.interval
        starts = _greater(full - bucket, blocked)
        insert = self._dialect.insert(RateLimitRow).values(
            key=limit.key, full_at=now + limit.interval, blocked_until=0.0
        )
        statement = insert.on_conflict_do_update(
            index_elements=[RateLimitRow.key],
            set_={"full_at": full, "blocked_until": blocked},
            where=and_(starts - now <= patience, full <= latest),
        ).returning(RateLimitRow.full_at, RateLimitRow.blocked_until, now)
        with transaction(self._engine) as session:
            if row := session.execute(statement).one_or_none():
                full_at, blocked_until, db_now = row
                return Reservation(max(0.0, full_at - bucket - db_now, blocked_until - db_now), granted=True)
            start, db_now = session.execute(select(starts, now).where(RateLimitRow.key == limit.key)).one()
            return Reservation(max(0.0, start - db_now), granted=False)

    def block(self, limit: RateLimit, seconds: float) -> None:
        """Block all callers for some seconds, as the service asked, but for a day at most."""
        now = self._now()
        until = now + max(0.0, min(seconds, MAX_BLOCK_SECONDS))
        full, blocked = _stored_state(now, _latest_full(limit, now))
        insert = self._dialect.insert(RateLimitRow).values(key=limit.key, full_at=now, blocked_until=until)
        later = {
            "full_at": full,
            "blocked_until": _greater(blocked, until),
        }
        with transaction(self._engine) as session:
            session.execute(insert.on_conflict_do_update(index_elements=[RateLimitRow.key], set_=later))

    def _now(self) -> ColumnElement[float]:
        return database_now(self._engine, self._clock)


def _latest_full(limit: RateLimit, now: ColumnElement[float]) -> ColumnElement[float]:
    return now + limit.burst * limit.interval + _MAX_QUEUE_SECONDS


def _stored_state(now: ColumnElement[float], latest: ColumnElement[float]) -> tuple[Any, Any]:
    """`full_at`, not before now, and `blocked_until`. Ignores a row that was written before the clock was set back.

    Such a row has a `full_at` too far ahead, since `full_at` is never before the time of writing. A block that is longer than
    any that is written is ignored, too.
    """
    is_current = RateLimitRow.full_at <= latest
    is_block = and_(is_current, RateLimitRow.blocked_until <= now + MAX_BLOCK_SECONDS + CLOCK_TOLERANCE.total_seconds())
    return (
        case((and_(is_current, RateLimitRow.full_at > now), RateLimitRow.full_at), else_=now),
        case((is_block, RateLimitRow.blocked_until), else_=0.0),
    )


def _greater(one: Any, other: Any) -> ColumnElement[float]:
    return case((one > other, one), else_=other)


def timestamp_in(seconds: float) -> datetime:
    """The UTC time after some seconds."""
    return datetime.fromtimestamp(time.time() + seconds, UTC)
