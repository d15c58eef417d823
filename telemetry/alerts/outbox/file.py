"""The outbox: a SQLite file, shared by the machine's processes, that keeps alerts until they are sent, and a history.

It is a file of its own, since it has to work while the database is down.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from telemetry import private_files

OUTBOX_FILE: Final = Path("alerts", "outbox.db")
_BUSY_TIMEOUT_MS: Final = 200
_LOCK_TIMEOUT: Final = 0.25
"""Seconds for which a thread that reports an alert waits for others; after that it is written later."""
_OPEN_TIMEOUT: Final = 2.0
_CHECKPOINT_BYTES: Final = 1024 * 1024
_SCHEMA_VERSION: Final = 1
_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_log = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    level TEXT NOT NULL,
    component TEXT NOT NULL,
    place TEXT NOT NULL,
    follows TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    is_sampled INTEGER NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    count INTEGER NOT NULL,
    due_at REAL NOT NULL,
    ended_at REAL,
    ended TEXT,
    muted_by INTEGER,
    told_at REAL,
    told_post INTEGER,
    told_count INTEGER NOT NULL DEFAULT 0,
    end_told INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    refusal TEXT,
    facts TEXT NOT NULL,
    words TEXT NOT NULL,
    error TEXT NOT NULL,
    stack TEXT NOT NULL
);
CREATE UNIQUE INDEX ix_incidents_open ON incidents (fingerprint) WHERE ended_at IS NULL;
CREATE INDEX ix_incidents_waiting ON incidents (ended_at, due_at) WHERE told_post IS NULL;
CREATE INDEX ix_incidents_state ON incidents (state, first_at) WHERE state <> '';
CREATE INDEX ix_incidents_told_at ON incidents (told_at) WHERE told_at IS NOT NULL;
CREATE INDEX ix_incidents_uncounted ON incidents (told_post) WHERE count > told_count AND told_post IS NOT NULL;
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    begun_at REAL,
    is_doubtful INTEGER NOT NULL DEFAULT 0,
    sent_at REAL,
    edited_at REAL,
    chat_id TEXT,
    message_id INTEGER
);
CREATE INDEX ix_posts_unsent ON posts (id) WHERE sent_at IS NULL;
CREATE TABLE tellings (
    post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, incident_id)
) WITHOUT ROWID;
CREATE INDEX ix_tellings_incident ON tellings (incident_id);
CREATE TABLE sends (channel TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX ix_sends_at ON sends (channel, at);
CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    paused_until REAL NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    stopped TEXT,
    chat_id TEXT,
    without_thread INTEGER NOT NULL DEFAULT 0,
    plain_texts INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE states (key TEXT PRIMARY KEY, on_since REAL, off_since REAL, seen_at REAL NOT NULL);
CREATE TABLE silences (
    id INTEGER PRIMARY KEY,
    component TEXT NOT NULL,
    until REAL NOT NULL,
    reason TEXT NOT NULL,
    created_at REAL NOT NULL
);
"""


class OutboxBusy(sqlite3.OperationalError):  # named for what is the case
    """Another thread of this process holds the outbox for too long."""


class Outbox:
    """One connection for a process, opened when first needed, also after a fork. Transactions are short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """A write transaction.

        Raises:
            sqlite3.Error, OSError: the file cannot be used now, or others hold it.
        """
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT):
            raise OutboxBusy("the outbox is in use")
        try:
            connection = self._connect()
            with self._recovery(), _transaction(connection):
                yield connection
        finally:
            self._lock.release()

    def checkpoint(self) -> None:
        """Move a long write-ahead log into the file. A connection of its own does it, so that no thread waits for the disk."""
        with suppress(OSError, sqlite3.Error):
            if Path(f"{self.path}-wal").stat().st_size > _CHECKPOINT_BYTES:
                with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_MS / 1000)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._pid == os.getpid():
                with suppress(sqlite3.Error):
                    connection.close()

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None or self._pid != os.getpid():
            with self._recovery():
                self._connection = _open(self.path)
            self._pid = os.getpid()
        return self._connection

    @contextmanager
    def _recovery(self) -> Generator[None]:
        """Move a corrupt file away; the next transaction creates a new one."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT:
                self._connection = None
                _quarantine(self.path)
            raise


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    private_files.make_directory(path.parent)
    private_files.make_file(path)  # alerts may hold private data
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    # A thread that reports an alert does not move the log into the file; the dispatcher does, by `checkpoint`.
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    _enable_wal(connection)
    _create_schema(connection)
    return connection


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Several processes may do this to a new file at once: SQLite then refuses some without waiting."""
    deadline = time.monotonic() + _OPEN_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _create_schema(connection: sqlite3.Connection) -> None:
    if _schema_version(connection) == _SCHEMA_VERSION:
        return
    with _transaction(connection):
        if _schema_version(connection) == _SCHEMA_VERSION:
            return
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")


def _schema_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _quarantine(path: Path) -> None:
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in ("-wal", "-shm"):
        with suppress(OSError):
            Path(f"{path}{suffix}").unlink()
    with suppress(OSError):
        path.rename(aside)
        _log.error("The outbox of alerts is damaged. It is kept as %s, and a new one begins.", aside.name)
