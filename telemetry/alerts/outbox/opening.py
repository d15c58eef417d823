"""Opens the outbox, unless it is damaged: its tables and indexes are checked, and its log is before SQLite changes it."""

import sqlite3
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.alerts.outbox import replacement
from telemetry.alerts.outbox.log_frames import PAGE_SIZE
from telemetry.alerts.outbox.replacement import OutboxDamaged
from telemetry.alerts.outbox.schema import SCHEMA_VERSION, create_schema, update_schema
from telemetry.database.sqlite_files import enable_wal, file_transaction, says_damaged

BUSY_TIMEOUT_MS: Final = 200
_OPEN_TIMEOUT: Final = 2.0


def is_damage(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, OutboxDamaged) or says_damaged(error)


def is_damaged(path: Path) -> bool:
    try:
        open_outbox(path).close()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return True
    return False


def open_outbox(path: Path) -> sqlite3.Connection:
    if replacement.has_to_be_replaced(path):
        raise OutboxDamaged("the outbox is damaged")
    private_files.make_file(path)  # alerts may hold private data
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        _configure(connection)
        replacement.check(connection)
    except BaseException as error:
        if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
            replacement.abandon(connection)  # to close it would change the log
        else:
            connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    # A thread that reports an alert does not move the log into the file; the dispatcher does, by `checkpoint`.
    for pragma in (f"page_size={PAGE_SIZE}", "synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    enable_wal(connection, _OPEN_TIMEOUT)
    _create_schema(connection)


def _create_schema(connection: sqlite3.Connection) -> None:
    """Create the tables, or bring those of an older version up to date. A newer version only has more columns."""
    if _schema_version(connection) >= SCHEMA_VERSION:
        return
    with file_transaction(connection):
        if version := _schema_version(connection):
            update_schema(connection, version)
        elif connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise OutboxDamaged("the outbox has another schema")
        else:
            create_schema(connection)


def _schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
