"""Opens the file `recent.db`, and creates its tables. Says of an error whether it means that the file is damaged."""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.recent.schema import SCHEMA_VERSION, create_schema, schema_version

BUSY_TIMEOUT: Final = 1.0
"""Seconds for which a writer waits for another one."""
_OPEN_TIMEOUT: Final = 2.0
_PAUSE: Final = 0.005
_MAX_LOG_BYTES: Final = 4 * 1024 * 1024
_PRAGMAS: Final = ("synchronous=OFF", f"journal_size_limit={_MAX_LOG_BYTES}", "temp_store=MEMORY")
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OTHER_SCHEMA: Final = ("no such table", "no such column", "has no column", "no such index")
"""How SQLite begins to say that the file has other tables than its version has."""
FileId = tuple[int, int]
"""The device and inode of a file."""


class RecentUnavailable(sqlite3.OperationalError):
    """The file cannot be used now. The message says why."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def connected(path: Path) -> sqlite3.Connection | None:
    """None if the file is of an earlier version, and so can be replaced.

    Raises:
        RecentUnavailable: it is of a later version, whose processes still use it.
    """
    private_files.make_file(path)  # it may hold private data
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        if _has_schema(connection):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _has_schema(connection: sqlite3.Connection) -> bool:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    _enable_log(connection)
    if not (version := schema_version(connection)):
        with transaction(connection):
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                create_schema(connection)
        version = schema_version(connection)
    if version > SCHEMA_VERSION:
        raise RecentUnavailable("the file is of a later version")
    return version == SCHEMA_VERSION


def _enable_log(connection: sqlite3.Connection) -> None:
    """A process that is still reading a file without a log makes SQLite refuse this at once, without a wait."""
    deadline = time.monotonic() + _OPEN_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    is_other_schema = code == sqlite3.SQLITE_ERROR and str(error).startswith(_OTHER_SCHEMA)
    return is_other_schema or code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


def stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def file_id(path: Path) -> FileId | None:
    found = stat(path)
    return None if found is None else (found.st_dev, found.st_ino)
