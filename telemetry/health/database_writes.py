"""Checks that the database takes writes: a write that changes nothing, without locks that others wait for."""

import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from telemetry.error_text import CheckFailed, safe_text

LOCKED_AFTER: Final = 20.0
"""Seconds of busy results in a row, at least three, after which SQLite is taken for locked: far above the busy timeout."""
_BUSY_MS: Final = 200
_MANY: Final = 3
_STANDBY: Final = "the database is a standby in recovery, which is read-only"
_READ_ONLY: Final = "the database is read-only"
# What a new session of this user would get: pooled ones keep the setting with which they began.
_STATE: Final = text("""
SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean, (
    SELECT split_part(setting, '=', 2)::boolean FROM pg_db_role_setting, unnest(setconfig) AS setting
    WHERE setting LIKE 'default_transaction_read_only=%'
        AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
    ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1
)
""")
# The first takes a transaction id, and the second writes a small file that ends with the transaction: a full disk refuses it.
_WRITE: Final = text("SELECT txid_current(), pg_export_snapshot()")


class NotWritable(CheckFailed):  # a finding, as its base class
    """The database answers, and does not take writes."""


class DatabaseCheck:
    """Raises unless the database answers and a transaction can write. It leaves nothing behind.

    SQLite: a transaction that writes the first page with the values that it has. PostgreSQL: a transaction that is rolled back.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._busy_since: float | None = None
        self._busy_count = 0

    def __call__(self) -> None:
        """Run the check.

        Raises:
            NotWritable: the message says why.
            SQLAlchemyError: the database does not answer.
        """
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            try:
                self._write(connection)
            except SQLAlchemyError as error:
                raise NotWritable(safe_text(error)) from error

    def _write(self, connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            self._write_sqlite(connection)
        else:
            _write_postgresql(connection)

    def _write_sqlite(self, connection: Connection) -> None:
        """A rolled-back write would stay in memory; this one reaches the log. Another writer is no error, unless it never ends."""
        connection.rollback()
        try:
            with _short_busy_timeout(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version={version}")
                connection.commit()
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            self._note_busy()
        else:
            self._busy_since, self._busy_count = None, 0

    def _note_busy(self) -> None:
        now = self._clock()
        self._busy_since = now if self._busy_since is None else self._busy_since
        self._busy_count += 1
        if self._busy_count >= _MANY and now - self._busy_since >= LOCKED_AFTER:
            raise NotWritable("the database is locked")


@contextmanager
def _short_busy_timeout(connection: Connection) -> Generator[None]:
    before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_MS}")
    try:
        yield
    finally:
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")


def _write_postgresql(connection: Connection) -> None:
    in_recovery, read_only, new_read_only = connection.execute(_STATE).one()
    if in_recovery or read_only or new_read_only:
        if read_only:
            _replace_connections(connection)
        raise NotWritable(_STANDBY if in_recovery else _READ_ONLY)
    connection.execute(_WRITE)
    connection.rollback()


def _replace_connections(connection: Connection) -> None:
    """Let the database refuse a statement, at which the pool replaces its connections: new ones may reach a new primary."""
    with suppress(OperationalError):
        connection.execute(text("CREATE TEMPORARY TABLE write_check (id integer)"))
    connection.rollback()
