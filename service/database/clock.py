"""The clock that several machines share: PostgreSQL's own. With SQLite there is one machine, and its clock is used."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Float, cast, func, literal, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Clock = Callable[[], float]
"""Gives Unix seconds."""
_COMPARE_SECONDS: Final = 30.0
CLOCK_TOLERANCE: Final = timedelta(minutes=1)
"""A stored timestamp that is further in the future was written before the clock was set back. A smaller jump is ignored."""
_NEVER_SET_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""A machine without a battery starts in 1970 or 2000. This program did not exist then."""


def utcnow() -> datetime:
    """Now, by this machine's clock."""
    return datetime.now(UTC)


def database_now(engine: Engine, clock: Clock = time.time) -> ColumnElement[float]:
    """Now, in Unix seconds, as an SQL expression. `clock` is used with SQLite."""
    if engine.dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Float(53))
    return literal(clock(), Float)


def is_of_another_clock(moment: datetime, now: datetime) -> bool:
    """Whether a stored timestamp cannot be true: it is in the future, or from a clock that had not been set yet."""
    return moment > now + CLOCK_TOLERANCE or moment < _NEVER_SET_BEFORE <= now


def elapsed_seconds() -> float:
    """Monotonic seconds. On Linux they include the time for which the machine was suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class JumpDetector:
    """Notices that the clock was set: compares it with a monotonic one."""

    def __init__(self, elapsed: Clock = elapsed_seconds) -> None:
        self._elapsed = elapsed
        self._offset: timedelta | None = None

    def observe(self, now: datetime) -> timedelta:
        """How far the clock was set forward since the last observation; negative if it was set back, zero within a minute."""
        offset = now - _EPOCH - timedelta(seconds=self._elapsed())
        jump = timedelta(0) if self._offset is None else offset - self._offset
        self._offset = offset
        return jump if abs(jump) > CLOCK_TOLERANCE else timedelta(0)


class DatabaseClock:
    """Timestamps by the database's clock, on a machine whose own clock may be wrong.

    The two clocks are compared every 30 seconds, and when the machine's clock was set. In between, the machine's clock is
    corrected by the last difference.
    """

    def __init__(self, engine: Engine, clock: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        self._difference = 0.0  # the database's clock minus this machine's, in seconds
        self._next_comparison = float("-inf")
        self._jumps = JumpDetector(monotonic)

    def now(self) -> datetime:
        was_set = self._jumps.observe(datetime.fromtimestamp(self._clock(), UTC))
        if was_set or self._monotonic() >= self._next_comparison:
            self._compare()
        return datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=self._difference)

    def _compare(self) -> None:
        """While the database is unavailable, the last difference stays in use."""
        self._next_comparison = self._monotonic() + _COMPARE_SECONDS
        if self._engine.dialect.name != "postgresql":
            return
        before = self._clock()
        try:
            with self._engine.connect() as connection:
                there = connection.scalar(select(database_now(self._engine)))
        except SQLAlchemyError:
            return
        if there is not None:
            self._difference = there - (before + self._clock()) / 2
