"""Opens the file `recent.db`, and creates its tables. Says of an error or a value whether it means that the file is damaged."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final, TypeVar

from telemetry import private_files
from telemetry.database.sqlite_files import enable_wal, file_transaction, says_damaged
from telemetry.error_text import CheckFailed
from telemetry.recent.schema import SCHEMA_VERSION, create_schema, schema_version

BUSY_TIMEOUT: Final = 1.0
"""Seconds for which a writer waits for another one."""
_OPEN_TIMEOUT: Final = 2.0
_MAX_LOG_BYTES: Final = 4 * 1024 * 1024
_PRAGMAS: Final = ("synchronous=OFF", f"journal_size_limit={_MAX_LOG_BYTES}", "temp_store=MEMORY")
_OTHER_SCHEMA: Final = ("no such table", "no such column", "has no column", "no such index")
"""How SQLite begins to say that the file has other tables than its version has."""
_OTHER_TEXT: Final = "Could not decode to UTF-8"
R = TypeVar("R", bound=Sequence[Any])


class RecentUnavailable(CheckFailed, sqlite3.OperationalError):
    """The file cannot be used now. The message says why, and is safe to show."""


class RecentDamaged(RecentUnavailable):
    """A value is none that was ever written. SQLite does not notice that bytes within a row were overwritten."""


def connected(path: Path) -> sqlite3.Connection | None:
    """None if the file is of an earlier version, and so can be replaced.

    Raises:
        RecentUnavailable: it is of a later version, whose processes still use it.
    """
    private_files.make_file(path.resolve())  # it may hold private data, also where the path is a link
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
    """Whether it has, or has now, the tables of this version. A file of another program is not changed."""
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    version = schema_version(connection)
    if version > SCHEMA_VERSION:
        raise RecentUnavailable("the file is of a later version")
    if version != SCHEMA_VERSION and (version or not _is_empty(connection)):
        return False
    enable_wal(connection, _OPEN_TIMEOUT)
    if not version:
        with file_transaction(connection):
            create_schema(connection)
    return True


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def is_damage(error: sqlite3.DatabaseError) -> bool:
    if isinstance(error, RecentDamaged) or str(error).startswith(_OTHER_TEXT):
        return True
    is_plain = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR
    return says_damaged(error) or (is_plain and str(error).startswith(_OTHER_SCHEMA))


def sound(row: R, types: Sequence[type | UnionType]) -> R:
    """The row, if its values are of these types.

    Raises:
        RecentDamaged: one of them is not.
    """
    if all(map(isinstance, row, types)):
        return row
    raise RecentDamaged("a value has another type than its column")


def stored_json(text: str) -> Any:
    """The value of a column that has JSON.

    Raises:
        RecentDamaged: it has none.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise RecentDamaged("a value is no JSON") from error
