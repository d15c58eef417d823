"""Closes connections that come back to their pool after `Engine.dispose`: nobody takes them from there, nor closes them."""

from contextlib import suppress
from itertools import count
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry


class LateReturns:
    """Knows of each connection which of the engine's pools it belongs to; each `dispose` replaces the pool."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._current = 0

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "connect", self._note)
        event.listen(engine, "engine_disposed", self._replace)
        event.listen(engine, "checkin", self._close_late)

    def _note(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[self] = self._current

    def _replace(self, _engine: Engine) -> None:
        self._current = next(self._numbers)

    def _close_late(self, connection: Any, record: ConnectionPoolEntry) -> None:
        if connection is not None and record.info.get(self) != self._current:
            with suppress(Exception):  # it is gone already
                connection.close()
