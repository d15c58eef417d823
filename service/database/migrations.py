"""The service's database: migrated once however many start at once, asked whether it answers and is at the newest."""

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

if TYPE_CHECKING:  # Alembic is imported when it is needed: it takes longer to load than the whole check
    from alembic.config import Config


MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"
LOCK_TIMEOUT: Final = 60.0
MISSING: Final = "migrations are missing: run `alembic upgrade head`"
_LOCK_KEY: Final = 0x2D3B8A10  # one number for everybody who migrates this database
_POLL: Final = 0.05


class MigrationsMissing(CheckFailed):
    """The database is not at the revision that this code was written for."""


class MigrationLocked(CheckFailed):
    """Somebody else has been migrating for too long."""


def register_missing_table_sentence() -> None:
    """Make the telemetry describe the error of a missing table by what to do about it."""
    register_sentence(r"no such table|relation .* does not exist", MISSING)


def ping(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def at_head(engine: Engine) -> None:
    """Raises:
    MigrationsMissing: with the sentence that says what to do.
    """
    with engine.connect() as connection:
        if _is_behind(connection):
            raise MigrationsMissing(MISSING)


def migrate(engine: Engine, timeout: float = LOCK_TIMEOUT) -> None:
    """Bring the database to the newest revision. Of several that start at once one migrates, and the others wait for it.

    Raises:
        MigrationsMissing: the database is newer than this code.
        MigrationLocked: the lock was not to be had within the timeout, in seconds.
    """
    with engine.connect() as connection:
        if not _is_behind(connection):
            return
    with exclusive_transaction(engine, timeout) as connection:
        _upgrade(connection)


@contextmanager
def exclusive_transaction(engine: Engine, timeout: float = LOCK_TIMEOUT) -> Generator[Connection]:
    """One transaction, of one migrator at a time. It happens as a whole: one that dies half-way has changed nothing.

    Raises:
        MigrationLocked: somebody else was in it for longer than the timeout, in seconds.
    """
    alone = _alone_on_sqlite if engine.dialect.name == "sqlite" else _alone_on_postgresql
    with engine.connect() as connection, alone(connection, timeout):
        yield connection
        connection.commit()


@contextmanager
def _alone_on_sqlite(connection: Connection, timeout: float) -> Generator[None]:
    """The file's own lock for writers, taken before the first statement: the driver begins none for CREATE or ALTER.

    Foreign keys rest meanwhile. SQLite alters a table by copying it and dropping the old one, and would then delete
    whatever refers to it.
    """
    _pragmas(connection, busy_timeout=int(timeout * 1000), foreign_keys=0)
    try:
        _begin(connection, timeout)
        yield
    finally:
        connection.rollback()
        _pragmas(connection, busy_timeout=SQLITE_BUSY_TIMEOUT_MS, foreign_keys=1)


def _begin(connection: Connection, timeout: float) -> None:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise _locked(timeout) from None
        raise


def _pragmas(connection: Connection, **values: int) -> None:
    for name, value in values.items():
        connection.exec_driver_sql(f"PRAGMA {name}={value}")


@contextmanager
def _alone_on_postgresql(connection: Connection, timeout: float) -> Generator[None]:
    """An advisory lock, which PostgreSQL gives back at the end of the transaction, however that came."""
    deadline = time.monotonic() + timeout
    while not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK_KEY}):
        if time.monotonic() > deadline:
            raise _locked(timeout)
        time.sleep(_POLL)
    yield


def _locked(timeout: float) -> MigrationLocked:
    return MigrationLocked(f"another process has been migrating for more than {timeout:g} s")


def _is_behind(connection: Connection) -> bool:
    """Raises:
    MigrationsMissing: the database is ahead.
    """
    revision = _revision(connection)
    if revision is not None and revision not in _revisions():
        raise MigrationsMissing("the database is newer than this version of the service: update the service")
    return revision != _revisions()[0]


def _revision(connection: Connection) -> str | None:
    """None before the first migration. Asked by each readiness check, so without Alembic's words about it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


@cache
def _revisions() -> tuple[str, ...]:
    """What this code knows, the newest first."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # see above

    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def is_known(revision: str) -> bool:
    """Whether this code can bring a database of that revision to the newest."""
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
