"""RateLimiter: when the next call of an account may begin, kept in the database, so that every process and machine keeps to it.

A token bucket that is one number, by the generic cell rate algorithm: the moment by which the bucket is full again.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from service.database.clock import Clock, database_now
from service.database.tables import RateLimitRow
from telemetry.database import transaction

_MAX_QUEUE_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`burst` calls at once, and one more each `interval` seconds. The key names the API and the account, never a token."""

    key: str
    interval: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call may begin in `wait` seconds, and has been reserved its place when it is `mine`."""

    wait: float
    mine: bool


class RateLimiter:
    """By the database's own clock on PostgreSQL, since machines' clocks differ; by `clock` (Unix seconds) on SQLite."""

    def __init__(self, engine: Engine, clock: Clock = time.time) -> None:
        self._engine = engine
        self._dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._clock = clock

    def reserve(self, limit: RateLimit, patience: float) -> Reservation:
        """Take the next place, if it comes within `patience` seconds, and within ten minutes. An unused place is lost."""
        now, bucket = self._now(), limit.burst * limit.interval
        furthest = now + bucket + _MAX_QUEUE_SECONDS
        full, blocked = _as_kept(now, furthest)
        full += limit.interval
        starts = _greater(full - bucket, blocked)
        insert = self._dialect.insert(RateLimitRow).values(
            key=limit.key, full_at=now + limit.interval, blocked_until=0.0
        )
        statement = insert.on_conflict_do_update(
            index_elements=[RateLimitRow.key],
            set_={"full_at": full, "blocked_until": blocked},
            where=and_(starts - now <= patience, full <= furthest),
        ).returning(RateLimitRow.full_at, RateLimitRow.blocked_until, now)
        with transaction(self._engine) as session:
            if row := session.execute(statement).one_or_none():
                full_at, blocked_until, at = row
                return Reservation(max(0.0, full_at - bucket - at, blocked_until - at), mine=True)
            found, at = session.execute(select(starts, now).where(RateLimitRow.key == limit.key)).one()
            return Reservation(max(0.0, found - at), mine=False)

    def block(self, limit: RateLimit, seconds: float) -> None:
        """Nobody calls for so many seconds: the service has said so."""
        now = self._now()
        until = now + seconds
        insert = self._dialect.insert(RateLimitRow).values(key=limit.key, full_at=now, blocked_until=until)
        later = {
            "full_at": _greater(RateLimitRow.full_at, now),
            "blocked_until": _greater(RateLimitRow.blocked_until, until),
        }
        with transaction(self._engine) as session:
            session.execute(insert.on_conflict_do_update(index_elements=[RateLimitRow.key], set_=later))

    def _now(self) -> ColumnElement[float]:
        return database_now(self._engine, self._clock)


def _as_kept(now: ColumnElement[float], furthest: ColumnElement[float]) -> tuple[Any, Any]:
    """`full_at`, not before now, and `blocked_until`; but what was written before the clock was set back is forgotten.

    It is known by its `full_at`, which is never earlier than the moment at which it was written.
    """
    of_now = RateLimitRow.full_at <= furthest
    return (
        case((and_(of_now, RateLimitRow.full_at > now), RateLimitRow.full_at), else_=now),
        case((of_now, RateLimitRow.blocked_until), else_=0.0),
    )


def _greater(one: Any, other: Any) -> ColumnElement[float]:
    return case((one > other, one), else_=other)


def timestamp_in(seconds: float) -> datetime:
    return datetime.fromtimestamp(time.time() + seconds, UTC)
