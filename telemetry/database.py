"""The database: one engine for jobs, routes and migrations, SQLite or PostgreSQL, with bounds for what it waits for."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy import DateTime, QueuePool, event
from sqlalchemy.engine import URL, Dialect, Engine, make_url
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from telemetry import private_files

SQLITE_BUSY_TIMEOUT_MS: Final = 5000
POOL_TIMEOUT_SECONDS: Final = 5
_PRAGMAS: Final = (
    f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
    "synchronous=NORMAL",  # with WAL a crash tears nothing; the machine's may take the last commits with it
    "foreign_keys=ON",
    # Pages, 32 MB of log. At the default of 4 MB each large transaction moves the pages of an index of random keys into the
    # database anew, the more of them the larger it is.
    "wal_autocheckpoint=8000",
)
_POSTGRESQL: Final = {
    "connect_timeout": 5,
    # A server that is gone without a word is noticed after 25 seconds: on a connection that is silent by the
    # keepalives, on one that waits for an answer by the user timeout (in ms). The system's defaults are hours.
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def create_engine(url: URL | str, application_name: str = "app") -> Engine:
    """Make an engine. What the URL's query says about a connection wins over what is set here."""
    url = make_url(url)
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url, application_name)


def _sqlite(url: URL) -> Engine:
    file = _file(url)
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_TIMEOUT_MS / 1000},
        # A database in memory lives and dies with its one connection: that is never closed, and threads take turns.
        **({} if file else {"pool_size": 1, "max_overflow": 0}),
    )
    if file:
        event.listen(engine, "do_connect", lambda *_: _make(file))
    event.listen(engine, "connect", _set_up)
    return engine


def _make(file: Path) -> None:
    """For the owner's eyes, as then are its log and what else SQLite puts beside it. SQLite says what is wrong, if it is."""
    private_files.make_directory(file.parent)
    with suppress(OSError):
        private_files.make_file(file)


def _file(url: URL) -> Path | None:
    in_memory = not url.database or url.database.startswith((":memory:", "file:"))
    return None if in_memory else Path(str(url.database))


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    deadline = time.monotonic() + SQLITE_BUSY_TIMEOUT_MS / 1000
    while not _write_ahead(connection, deadline):
        time.sleep(0.01)


def _write_ahead(connection: sqlite3.Connection, deadline: float) -> bool:
    """Turn WAL on, so that readers and a writer don't wait for each other.

    Of several that do this to a new file at once, SQLite refuses some, without the wait of `busy_timeout`.
    """
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
            raise
        return False
    return True


def _postgresql(url: URL, application_name: str) -> Engine:
    chosen = {**_POSTGRESQL, "application_name": application_name}
    return sqlalchemy.create_engine(
        url,
        hide_parameters=True,  # in errors and logs: they are what people wrote, and what they are called
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        connect_args={name: value for name, value in chosen.items() if name not in url.query},
    )


def dedicated_engine(engine: Engine) -> Engine:
    """The same database by connections of its own, which nobody else can use up; a database in memory has only one."""
    if engine.dialect.name == "sqlite" and _file(engine.url) is None:
        return engine
    return Engine(engine.pool.recreate(), engine.dialect, engine.url)


@contextmanager
def transaction(engine: Engine) -> Generator[Session]:
    """One transaction for one use case: committed at its end, rolled back by whatever is raised in it."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


class UTCDateTime(TypeDecorator[datetime]):
    """A moment: aware going in, aware in UTC coming out, on databases that know time zones and on those that don't."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone, so it is no moment.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
