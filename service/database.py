"""The service's database: migrated once however many start at once, asked whether it answers and is at the newest."""

import fcntl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine

from telemetry.health.report import CheckFailed

MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"
LOCK_TIMEOUT: Final = 60.0
_LOCK_KEY: Final = 0x2D3B8A10  # one number for everybody who migrates this database
_POLL: Final = 0.05


class MigrationsMissing(CheckFailed):
    """The database is not at the revision that this code was written for."""


class MigrationLocked(CheckFailed):
    """Somebody else has been migrating for too long."""


def ping(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def at_head(engine: Engine) -> None:
    """Raises:
    MigrationsMissing: with the sentence that says what to do.
    """
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision == _head():
        return
    if revision is not None and revision not in _known():
        raise MigrationsMissing("the database is newer than this version of the service: update the service")
    raise MigrationsMissing("migrations are missing: run `alembic upgrade head`")


def migrate(engine: Engine, timeout: float = LOCK_TIMEOUT) -> None:
    """Bring the database to the newest revision. Of several that start at once one migrates, and the others wait for it.

    Raises:
        MigrationLocked: the lock was not to be had within the timeout, in seconds.
    """
    if _is_at_head(engine):
        return
    with _file_lock(engine, timeout), engine.connect() as connection, _advisory_lock(connection, timeout):
        if _revision(connection) != _head():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        connection.commit()


def _is_at_head(engine: Engine) -> bool:
    with engine.connect() as connection:
        return _revision(connection) == _head()


def _revision(connection: Connection) -> str | None:
    """None before the first migration. Asked by each readiness check, so without Alembic's words about it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def _head() -> str | None:
    return _scripts().get_current_head()


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in _scripts().walk_revisions())


@contextmanager
def _file_lock(engine: Engine, timeout: float) -> Generator[None]:
    """SQLite's processes are all on one machine: a lock on a file beside the database."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        with nullcontext():
            yield
        return
    with Path(f"{path}.migrating").open("a") as lock:
        _until(lambda: _flock(lock.fileno()), timeout)
        yield


def _flock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _advisory_lock(connection: Connection, timeout: float) -> Generator[None]:
    """PostgreSQL keeps the lock for the session, and gives it back when the session is gone, however it ended."""
    if connection.dialect.name != "postgresql":
        yield
        return
    key = {"key": _LOCK_KEY}
    _until(lambda: bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key)), timeout)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        connection.commit()


def _until(taken: Callable[[], bool], timeout: float) -> None:
    end = time.monotonic() + timeout
    while not taken():
        if time.monotonic() > end:
            raise MigrationLocked(f"another process has been migrating for more than {timeout:.0f} s")
        time.sleep(_POLL)
