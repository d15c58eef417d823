"""The clock that several machines share: PostgreSQL's own. With SQLite there is one machine, and its clock is used."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Float, cast, func, literal, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

Clock = Callable[[], float]
"""Gives Unix seconds."""
_COMPARE_SECONDS: Final = 30.0


def utcnow() -> datetime:
    """Now, by this machine's clock."""
    return datetime.now(UTC)


def database_now(engine: Engine, clock: Clock = time.time) -> ColumnElement[float]:
    """Now, in Unix seconds, as an SQL expression. `clock` is used with SQLite."""
    if engine.dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Float(53))
    return literal(clock(), Float)


class DatabaseClock:
    """Timestamps by the database's clock, on a machine whose own clock may be wrong.

    The two clocks are compared every 30 seconds. In between, the machine's clock is corrected by the last difference.
    """

    def __init__(self, engine: Engine, clock: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        self._difference = 0.0  # the database's clock minus this machine's, in seconds
        self._next_comparison = float("-inf")

    def now(self) -> datetime:
        if self._monotonic() >= self._next_comparison:
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
