"""Opens the file `recent.db`, and creates its tables. Says of an error whether it means that the file is damaged."""

import sqlite3
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.database.sqlite_files import enable_wal, file_transaction, says_damaged
from telemetry.recent.schema import SCHEMA_VERSION, create_schema, schema_version

BUSY_TIMEOUT: Final = 1.0
"""Seconds for which a writer waits for another one."""
_OPEN_TIMEOUT: Final = 2.0
_MAX_LOG_BYTES: Final = 4 * 1024 * 1024
_PRAGMAS: Final = ("synchronous=OFF", f"journal_size_limit={_MAX_LOG_BYTES}", "temp_store=MEMORY")
_OTHER_SCHEMA: Final = ("no such table", "no such column", "has no column", "no such index")
"""How SQLite begins to say that the file has other tables than its version has."""


class RecentUnavailable(sqlite3.OperationalError):
    """The file cannot be used now. The message says why."""


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
    enable_wal(connection, _OPEN_TIMEOUT)
    if not (version := schema_version(connection)):
        with file_transaction(connection):
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                create_schema(connection)
        version = schema_version(connection)
    if version > SCHEMA_VERSION:
        raise RecentUnavailable("the file is of a later version")
    return version == SCHEMA_VERSION


def is_damage(error: sqlite3.DatabaseError) -> bool:
    is_plain = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR
    return says_damaged(error) or (is_plain and str(error).startswith(_OTHER_SCHEMA))
