"""Migrates the database, in one process at a time, and checks that it answers and is at the newest revision."""

import logging
import shlex
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from telemetry.database import SQLITE_BUSY_TIMEOUT_MS
from telemetry.error_text import CheckFailed, register_sentence

if TYPE_CHECKING:  # Alembic is imported when it is needed: loading it takes longer than the whole check
    from alembic.config import Config


_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_WHEEL: Final = Path(__file__).resolve().parents[1] / "_alembic"  # where the wheel has them (pyproject.toml)
_IS_INSTALLED: Final = _WHEEL.is_dir()
MIGRATIONS: Final = (_WHEEL if _IS_INSTALLED else _CHECKOUT) / "migrations"
LOCK_TIMEOUT: Final = 60.0
_OPTIONS: Final = f" -c {shlex.quote(str(_WHEEL / 'alembic.ini'))}" if _IS_INSTALLED else ""
MISSING: Final = f"migrations are missing: run `alembic{_OPTIONS} upgrade head`"
_LOCK_KEY: Final = 0x2D3B8A10  # of the advisory lock; every process that migrates uses the same
_POLL_SECONDS: Final = 0.05
_log = logging.getLogger(__name__)


class MigrationsMissing(CheckFailed):
    """The database is not at the revision that this code needs."""


class DatabaseNewer(MigrationsMissing):
    """A newer version of the service has migrated the database."""


class MigrationLocked(CheckFailed):
    """Another process has held the migration lock for longer than the timeout."""


def register_missing_table_sentence() -> None:
    """Make the telemetry describe the error of a missing table by what to do about it."""
    register_sentence(r"no such table|relation .* does not exist", MISSING)


def ping(engine: Engine) -> None:
    """Raise if the database is unreachable."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def at_head(engine: Engine) -> None:
    """Raise if the database is not at the newest revision.

    Raises:
        MigrationsMissing: the message says what to do.
    """
    with engine.connect() as connection:
        if _is_behind(connection):
            raise MigrationsMissing(MISSING)


def require_not_newer(engine: Engine) -> None:
    """Raise if a newer version has migrated the database; no retry can make that well.

    Raises:
        DatabaseNewer: the message says what to do.
    """
    with engine.connect() as connection:
        _is_behind(connection)


def migrate(engine: Engine, timeout: float = LOCK_TIMEOUT) -> None:
    """Upgrade the database to the newest revision. Of several processes one migrates; the others wait for it.

    Raises:
        DatabaseNewer: a newer version has migrated it.
        MigrationLocked: another process held the lock for longer than the timeout, in seconds.
    """
    with engine.connect() as connection:
        if not _is_behind(connection):
            return
    with exclusive_transaction(engine, timeout) as connection:
        before = _current_revision(connection)
        _upgrade(connection)
    _log_upgrade(before, _revisions()[0])


def _log_upgrade(before: str | None, after: str) -> None:
    if before is None:
        _log.info("The tables of the database were created (revision %s).", after)
    elif before != after:  # else another process was first
        _log.info("The database was upgraded from revision %s to %s.", before, after)


@contextmanager
def exclusive_transaction(engine: Engine, timeout: float = LOCK_TIMEOUT) -> Generator[Connection]:
    """One transaction under the migration lock, committed at the end. A process that dies in it has changed nothing.

    Raises:
        MigrationLocked: another process held the lock for longer than the timeout, in seconds.
    """
    locked = _locked_sqlite if engine.dialect.name == "sqlite" else _locked_postgresql
    with engine.connect() as connection, locked(connection, timeout):
        yield connection
        connection.commit()


@contextmanager
def _locked_sqlite(connection: Connection, timeout: float) -> Generator[None]:
    """Takes SQLite's write lock before the first statement: the driver begins no transaction for CREATE or ALTER.

    Foreign keys are off meanwhile. SQLite alters a table by copying it and dropping the old one, which would otherwise
    delete the rows that refer to it.
    """
    _set_pragmas(connection, busy_timeout=int(timeout * 1000), foreign_keys=0)
    try:
        _begin_immediate(connection, timeout)
        yield
    finally:
        connection.rollback()
        _set_pragmas(connection, busy_timeout=SQLITE_BUSY_TIMEOUT_MS, foreign_keys=1)


def _begin_immediate(connection: Connection, timeout: float) -> None:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise _lock_error(timeout) from None
        raise


def _set_pragmas(connection: Connection, **values: int) -> None:
    for name, value in values.items():
        connection.exec_driver_sql(f"PRAGMA {name}={value}")


@contextmanager
def _locked_postgresql(connection: Connection, timeout: float) -> Generator[None]:
    """Takes an advisory lock, which PostgreSQL releases at the end of the transaction or connection."""
    deadline = time.monotonic() + timeout
    while not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK_KEY}):
        if time.monotonic() > deadline:
            raise _lock_error(timeout)
        time.sleep(_POLL_SECONDS)
    yield


def _lock_error(timeout: float) -> MigrationLocked:
    return MigrationLocked(f"another process has been migrating for more than {timeout:g} s")


def _is_behind(connection: Connection) -> bool:
    """Raises:
    DatabaseNewer: a newer version has migrated it.
    """
    revision = _current_revision(connection)
    if revision is not None and revision not in _revisions():
        raise DatabaseNewer("the database is newer than this version of the service: update the service")
    return revision != _revisions()[0]


def _current_revision(connection: Connection) -> str | None:
    """None before the first migration. Each readiness check asks for it, so it does without Alembic, which would log."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


@cache
def _revisions() -> tuple[str, ...]:
    """The revisions that this code knows, newest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # see above

    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def is_known(revision: str) -> bool:
    """Whether this code can upgrade a database of that revision."""
    return revision in _revisions()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415  # see above

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  # see above

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
