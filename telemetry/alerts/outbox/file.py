"""The outbox: a SQLite file, shared by the machine's processes, that keeps alerts until they are sent, and a history.

It is a file of its own, since it has to work while the database is down.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from telemetry import private_files
from telemetry.alerts.outbox.schema import SCHEMA, SCHEMA_VERSION, STEPS
from telemetry.processes import forks

OUTBOX_FILE: Final = Path("alerts", "outbox.db")
_BUSY_TIMEOUT_MS: Final = 200
_LOCK_TIMEOUT: Final = 0.25
"""Seconds for which a thread that reports an alert waits for others; after that it is written later."""
_OPEN_TIMEOUT: Final = 2.0
_CHECKPOINT_BYTES: Final = 1024 * 1024
_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_of_parents: Final[list[sqlite3.Connection | None]] = []
"""Never closed: SQLite does not allow that in a forked child."""
_log = logging.getLogger(__name__)


class OutboxBusy(sqlite3.OperationalError):  # named for what is the case
    """Another thread of this process holds the outbox for too long."""


class OutboxVersion(NamedTuple):
    """Differs from an earlier one if any process has changed the file meanwhile."""

    connection: int
    changes_by_others: int
    changes_by_us: int


class Outbox(forks.ForkAware):
    """One connection for a process, opened when first needed, also after a fork. Transactions are short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._connections = 0
        forks.register(self)

    def restart_in_child(self) -> None:
        _of_parents.append(self._connection)
        self._connection, self._lock = None, threading.RLock()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """A write transaction.

        Raises:
            sqlite3.Error, OSError: the file cannot be used now, or others hold it.
        """
        with self._exclusive() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    @contextmanager
    def read(self) -> Generator[sqlite3.Connection]:
        """A read transaction: a snapshot of the file, for which no process waits.

        Raises:
            sqlite3.Error, OSError: the file cannot be used now, or another thread holds it.
        """
        with self._exclusive() as connection, _transaction(connection, "BEGIN"):
            yield connection

    def version(self) -> OutboxVersion:
        """The version of the file, for a few microseconds: no table is read.

        Raises:
            sqlite3.Error, OSError: as for `read`.
        """
        with self._exclusive() as connection:
            by_others = int(connection.execute("PRAGMA data_version").fetchone()[0])
            return OutboxVersion(self._connections, by_others, connection.total_changes)

    def checkpoint(self) -> None:
        """Move a long write-ahead log into the file. A connection of its own does it, so that no thread waits for the disk."""
        with suppress(OSError, sqlite3.Error):
            if Path(f"{self.path}-wal").stat().st_size > _CHECKPOINT_BYTES:
                with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_MS / 1000)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _exclusive(self) -> Generator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT):
            raise OutboxBusy("the outbox is in use")
        try:
            connection = self._connect()
            with self._recovery():
                yield connection
        finally:
            self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            with self._recovery():
                self._connection = _open(self.path)
            self._connections += 1
        return self._connection

    @contextmanager
    def _recovery(self) -> Generator[None]:
        """Move a corrupt file away; the next transaction creates a new one."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT:
                self._disconnect()
                _quarantine(self.path)
            raise


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Generator[None]:
    connection.execute(begin)
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
    try:
        _configure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    # A thread that reports an alert does not move the log into the file; the dispatcher does, by `checkpoint`.
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    _enable_wal(connection)
    _create_schema(connection)


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
    """Create the tables, or bring those of an older version up to date. A newer version only has more columns."""
    if _schema_version(connection) >= SCHEMA_VERSION:
        return
    with _transaction(connection, "BEGIN IMMEDIATE"):
        version = _schema_version(connection)
        scripts = [STEPS[each] for each in range(version + 1, SCHEMA_VERSION + 1)] if version else [SCHEMA]
        for statement in filter(str.strip, ";".join(scripts).split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={max(version, SCHEMA_VERSION)}")


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
