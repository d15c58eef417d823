"""SQLite files: their identity, their log, their transactions, and whether an error says that one is damaged."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PAUSE: Final = 0.005
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
FileId = tuple[int, int]
"""The device and inode of a file."""


def file_id(path: Path) -> FileId | None:
    """None if there is no such file. It is not opened: to close it would drop SQLite's locks."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def enable_wal(connection: sqlite3.Connection, timeout: float) -> None:
    """Enable WAL, so that readers and a writer do not wait for each other.

    If several connections do this to a new file at once, SQLite refuses some of them without waiting. They try again for
    `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


@contextmanager
def file_transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Generator[None]:
    """A transaction: committed at the end, rolled back if an exception is raised."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def says_damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite says that the file is damaged, or is no database."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ
