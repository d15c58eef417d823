"""The database: one engine for jobs, routes and migrations, SQLite or PostgreSQL, with every wait bounded."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import DateTime, event
from sqlalchemy.engine import URL, Dialect, Engine, make_url
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_MS: Final = 5000
CONNECT_TIMEOUT_S: Final = 5
POOL_TIMEOUT_S: Final = 5
_PRAGMAS: Final = (
    "journal_mode=WAL",  # readers and a writer don't wait for each other
    "synchronous=NORMAL",  # safe against a crash of the process; WAL makes it safe against a torn file
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "foreign_keys=ON",
)


def create_engine(url: URL | str) -> Engine:
    url = make_url(url)
    return _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _postgresql(url: URL) -> Engine:
    return sqlalchemy.create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=POOL_TIMEOUT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            # A server that is gone without a word is noticed after 25 seconds, not after two hours.
            "keepalives": 1,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": "sovani",
        },
    )


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

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
