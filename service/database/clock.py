"""The clock that several machines share: the database's own where there can be several, else this machine's."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Float, cast, func, literal, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError


def utcnow() -> datetime:
    return datetime.now(UTC)


Clock = Callable[[], float]
"""Gives Unix seconds."""
_EVERY: Final = 30.0


def database_now(engine: Engine, clock: Clock = time.time) -> ColumnElement[float]:
    """Now, in Unix seconds, as a part of a statement."""
    if engine.dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Float(53))
    return literal(clock(), Float)


class DatabaseClock:
    """Moments by the database's clock, on a machine whose own may be off. Asked now and then; in between its own runs on."""

    def __init__(self, engine: Engine, clock: Clock = time.time, ticks: Clock = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._ticks = ticks
        self._ahead = 0.0
        self._next = float("-inf")

    def now(self) -> datetime:
        if self._ticks() >= self._next:
            self._compare()
        return datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=self._ahead)

    def _compare(self) -> None:
        """A database that is away is compared with later: until then the last difference holds."""
        self._next = self._ticks() + _EVERY
        if self._engine.dialect.name != "postgresql":
            return
        before = self._clock()
        try:
            with self._engine.connect() as connection:
                there = connection.scalar(select(database_now(self._engine)))
        except SQLAlchemyError:
            return
        if there is not None:
            self._ahead = there - (before + self._clock()) / 2
