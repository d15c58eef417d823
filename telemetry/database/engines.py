"""Creates database engines for SQLite and PostgreSQL, with a timeout for everything that they wait for."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy
from sqlalchemy import QueuePool, event
from sqlalchemy.engine import URL, Engine, ExceptionContext, make_url
from sqlalchemy.exc import DatabaseError, InternalError, OperationalError
from sqlalchemy.orm import Session

from telemetry.database.forked_engines import no_fork, use_in_one_process
from telemetry.database.late_returns import close_late_returns
from telemetry.database.limits import NO_LIMITS, POOL_TIMEOUT_SECONDS, EngineLimits, limit_statements, resized_pool
from telemetry.database.sqlite_files import enable_wal
from telemetry.database.watched_file import WatchedFile
from telemetry.environment.prepared_statements import prepare_threshold
from telemetry.settings import SettingsError

SQLITE_BUSY_TIMEOUT_MS: Final = 5000
_NO_DRIVER: Final = "A PostgreSQL database needs the driver psycopg: pip install 'sovani[postgres]' ({})."
_READ_ONLY_SQLSTATE: Final = "25006"
_PRAGMAS: Final = (
    f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
    "synchronous=NORMAL",  # with WAL a process crash loses nothing; a machine crash may lose the last commits
    "foreign_keys=ON",
    # In pages: 32 MB of log. At the default of 4 MB, each large transaction would write the pages of an index on random keys to
    # the database again and again.
    "wal_autocheckpoint=8000",
)
UNTRACED: Final = "telemetry.untraced"
"""The execution option of an engine whose queries are measured and get no spans."""
PURPOSE: Final = "telemetry.purpose"
"""The execution option that tells an engine from others of the same database."""
_POSTGRESQL: Final = {
    "connect_timeout": 5,
    # A server that vanishes is noticed after 25 seconds: on an idle connection by the keepalives, on one that waits for a
    # response by the user timeout (in ms). The system's defaults are hours.
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def create_engine(url: URL | str, application_name: str = "app") -> Engine:
    """Create an engine. Connection parameters in the URL's query override the defaults here.

    Raises:
        SettingsError: the database is PostgreSQL, and its driver is not installed.
    """
    url = make_url(url)
    engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url, application_name)
    close_late_returns(engine)
    is_file = engine.dialect.name == "sqlite" and _database_file(url) is not None
    if is_file or engine.dialect.name != "sqlite":
        use_in_one_process(engine, closes_idle=is_file)
    return engine


def _sqlite(url: URL) -> Engine:
    file = _database_file(url)
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_TIMEOUT_MS / 1000},
        # An in-memory database exists as long as its one connection, which is never closed; threads share it in turn.
        **({} if file else {"pool_size": 1, "max_overflow": 0}),
    )
    event.listen(engine, "connect", _configure)
    if file:
        WatchedFile(file).listen(engine)
    event.listen(engine, "handle_error", _unavailable_error, retval=True)
    return engine


def database_identity(url: URL) -> str:
    """Which database this is, without credentials: the same text for all processes that use it by the same address."""
    if (file := _database_file(url)) is not None and url.get_backend_name() == "sqlite":
        return str(file.resolve())
    return str(URL.create(url.get_backend_name(), host=url.host, port=url.port, database=url.database))


def _database_file(url: URL) -> Path | None:
    in_memory = not url.database or url.database.startswith((":memory:", "file:"))
    return None if in_memory else Path(str(url.database))


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """SQLAlchemy does not close a connection whose configuration fails."""
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        enable_wal(connection, SQLITE_BUSY_TIMEOUT_MS / 1000)
    except BaseException:
        connection.close()
        raise


def _postgresql(url: URL, application_name: str) -> Engine:
    parameters = {**_POSTGRESQL, "application_name": application_name}
    given = {name: value for name, value in parameters.items() if name not in url.query}
    try:
        engine = sqlalchemy.create_engine(
            url,
            hide_parameters=True,  # in errors and logs: parameters contain personal data
            pool_pre_ping=True,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            connect_args={**given, **prepare_threshold(url)},  # in the URL it would be text to psycopg
        )
    except ImportError as error:  # the driver, or the library that it needs
        raise SettingsError(_NO_DRIVER.format(error)) from None
    event.listen(engine, "handle_error", _unavailable_error, retval=True)
    return engine


def _unavailable_error(context: ExceptionContext) -> OperationalError | None:
    """The drivers have other classes for a database that is read-only, or damaged: to callers, it is unavailable.

    The connection is replaced: after a failover the next one may reach the new primary.
    """
    error, cause = context.sqlalchemy_exception, context.original_exception
    is_read_only = isinstance(error, InternalError) and getattr(cause, "sqlstate", "") == _READ_ONLY_SQLSTATE
    if not is_read_only and type(error) is not DatabaseError:
        return None
    context.is_disconnect = is_read_only
    return OperationalError(context.statement, None, cause, hide_parameters=True)


def dedicated_engine(
    engine: Engine, limits: EngineLimits = NO_LIMITS, *, purpose: str = "dedicated", traced: bool = False
) -> Engine:
    """An engine for the same database with a pool of its own; for an in-memory database the same engine.

    It is disposed of together with the first one.

    Args:
        engine: the first one.
        limits: of the new one.
        purpose: is in the name of its pool.
        traced: its queries get spans, and it has a dialect of its own, to which its listeners for errors belong.
    """
    if engine.dialect.name == "sqlite" and _database_file(engine.url) is None:
        return engine
    pool = resized_pool(engine.pool, limits)
    if traced:
        dedicated = sqlalchemy.create_engine(
            engine.url, pool=pool, hide_parameters=True, execution_options={PURPOSE: purpose}
        )
        event.listen(dedicated, "handle_error", _unavailable_error, retval=True)
    else:
        options = {PURPOSE: purpose, UNTRACED: "yes"}
        dedicated = Engine(
            pool, engine.dialect, engine.url, hide_parameters=engine.hide_parameters, execution_options=options
        )
    event.listen(engine, "engine_disposed", lambda _engine: dedicated.dispose())
    close_late_returns(dedicated)
    use_in_one_process(dedicated, closes_idle=False)  # they are, together with those of the first one
    limit_statements(dedicated, limits)
    return dedicated


@contextmanager
def transaction(engine: Engine) -> Generator[Session]:
    """A session with one transaction: committed at the end, rolled back if an exception is raised."""
    with no_fork(), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session
