"""Limits of an engine: its connections, and how long its statements may take or wait for a lock."""

import sqlite3
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy import QueuePool, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry, Pool

POOL_TIMEOUT_SECONDS: Final = 5.0
_DEADLINE: Final = "telemetry.statement_deadline"
_monotonic: Final = time.monotonic
_SQLITE_STEPS: Final = 200_000
"""Instructions of SQLite between two looks at the clock: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of one engine. Times are in seconds.

    Attributes:
        pool_size: connections that stay open.
        max_overflow: further connections that may be open at the same time.
        pool_timeout: how long to wait for a free connection.
        statement_timeout: how long a statement may take; None: no limit.
        lock_timeout: how long a statement waits for a lock that others hold; None: the engine's default.
    """

    pool_size: int = 5
    max_overflow: int = 10
    pool_timeout: float = POOL_TIMEOUT_SECONDS
    statement_timeout: float | None = None
    lock_timeout: float | None = None


NO_LIMITS: Final = EngineLimits()


def resized_pool(pool: Pool, limits: EngineLimits) -> Pool:
    """A new pool for the same database, with the same listeners."""
    if not isinstance(pool, QueuePool):
        return pool.recreate()
    return QueuePool(  # no subclass: pools log under the module of their class
        pool._creator,  # noqa: SLF001  # `recreate`, which SQLAlchemy has for this, keeps the size
        pool_size=limits.pool_size,
        max_overflow=limits.max_overflow,
        timeout=limits.pool_timeout,
        pre_ping=pool._pre_ping,  # noqa: SLF001
        recycle=pool._recycle,  # noqa: SLF001
        dialect=pool._dialect,  # noqa: SLF001
        _dispatch=pool.dispatch,
    )


def limit_statements(engine: Engine, limits: EngineLimits) -> None:
    """Let the database end statements that take too long. They raise an `OperationalError`."""
    if engine.dialect.name == "sqlite":
        _limit_sqlite(engine, limits)
    elif settings := _settings(limits):
        event.listen(engine, "begin", partial(_limit_transaction, f"SELECT {settings}"))


def _settings(limits: EngineLimits) -> str:
    """For one transaction, not for the session: a pooler such as PgBouncer gives a session to others afterwards."""
    timeouts = {"statement_timeout": limits.statement_timeout, "lock_timeout": limits.lock_timeout}
    return ", ".join(
        f"set_config('{name}', '{seconds * 1000:.0f}', true)" for name, seconds in timeouts.items() if seconds
    )


def _limit_transaction(statement: str, connection: Connection) -> None:
    with suppress_instrumentation():
        connection.exec_driver_sql(statement).close()


def _limit_sqlite(engine: Engine, limits: EngineLimits) -> None:
    event.listen(engine, "connect", partial(_configure_sqlite, limits))
    if limits.statement_timeout:
        event.listen(engine, "before_cursor_execute", partial(_start_statement, limits.statement_timeout))


def _configure_sqlite(limits: EngineLimits, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
    info = record.info  # of the connection, as `Connection.info`
    if limits.lock_timeout:
        connection.execute(f"PRAGMA busy_timeout={limits.lock_timeout * 1000:.0f}")
    connection.set_progress_handler(lambda: _monotonic() > info.get(_DEADLINE, float("inf")), _SQLITE_STEPS)


def _start_statement(timeout: float, connection: Connection, *_arguments: Any) -> None:
    connection.info[_DEADLINE] = _monotonic() + timeout
