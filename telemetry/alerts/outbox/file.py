"""The outbox: a SQLite file, shared by the machine's processes, that keeps alerts until they are sent, and a history.

It is a file of its own, since it has to work while the database is down. Each transaction shares a lock with those of other
processes; whoever finds the file damaged takes that lock alone, and replaces the file.
"""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from telemetry import private_files
from telemetry.alerts.outbox import replacement
from telemetry.alerts.outbox.opening import BUSY_TIMEOUT_MS, is_damage, is_damaged, open_outbox
from telemetry.alerts.outbox.replacement import FileId, OutboxDamaged, file_id
from telemetry.database.sqlite_files import file_transaction
from telemetry.processes import forks
from telemetry.processes.shared_lock import SharedLock
from telemetry.threads.worker_thread import is_on_event_loop

OUTBOX_FILE: Final = Path("alerts", "outbox.db")
_LOCK_TIMEOUT: Final = 0.25
"""Seconds for which a thread that reports an alert waits for others; after that it is written later."""
_REPLACE_TIMEOUT: Final = 2.0
_CHECKPOINT_BYTES: Final = 1024 * 1024
_REPLACEMENTS: Final = 2
_of_parents: Final[list[sqlite3.Connection | None]] = []
"""Never closed: SQLite does not allow that in a forked child."""


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
        self._file: FileId | None = None
        self._shared = SharedLock(_lock_path(path))
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
        with self._exclusive() as connection, file_transaction(connection):
            yield connection

    @contextmanager
    def read(self) -> Generator[sqlite3.Connection]:
        """A read transaction: a snapshot of the file, for which no process waits.

        Raises:
            sqlite3.Error, OSError: the file cannot be used now, or another thread holds it.
        """
        with self._exclusive() as connection, file_transaction(connection, "BEGIN"):
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
        shared = SharedLock(_lock_path(self.path))
        with suppress(OSError, sqlite3.Error):
            if Path(f"{self.path}-wal").stat().st_size > _CHECKPOINT_BYTES:
                with (
                    shared.hold(_LOCK_TIMEOUT),
                    closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection,
                ):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        shared.close()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                with suppress(OSError), self._shared.hold(_LOCK_TIMEOUT):
                    self._disconnect()
            self._abandon()
            self._shared.close()

    def _disconnect(self) -> None:
        if self._connection is not None and file_id(self.path) == self._file:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            replacement.abandon(connection)

    @contextmanager
    def _exclusive(self) -> Generator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT):
            raise OutboxBusy("the outbox is in use")
        try:
            connection = self._enter()
            try:
                yield connection
            finally:
                self._shared.release()
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                self._replace()
            raise
        finally:
            self._lock.release()

    def _enter(self) -> sqlite3.Connection:
        """Share the lock, and connect to the file that is there. A damaged one is replaced first."""
        if self._connection is None:
            private_files.make_directory(self.path.parent)
        for _ in range(_REPLACEMENTS):
            with suppress(OutboxDamaged):
                return self._try_to_enter()
            self._replace()
        return self._try_to_enter()

    def _try_to_enter(self) -> sqlite3.Connection:
        self._shared.acquire(_LOCK_TIMEOUT)
        try:
            return self._connect()
        except BaseException as error:
            self._shared.release()
            if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
                raise OutboxDamaged(str(error)) from error
            raise

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and (found := file_id(self.path)) != self._file:
            if found is None:
                raise OutboxDamaged("the outbox was deleted")
            self._abandon()  # another process has replaced the file
        if self._connection is None:
            self._connection = open_outbox(self.path)
            self._file = file_id(self.path)
            self._connections += 1
        return self._connection

    def _replace(self) -> None:
        """Replace the file, unless another process has done so. The connection to the damaged one is given up.

        On an event loop this is left to the dispatcher's thread, as it may take a second.

        Raises:
            sqlite3.Error, OSError: it is not replaced yet.
        """
        if is_on_event_loop():
            raise OutboxBusy("the outbox is damaged, and is being replaced")
        private_files.make_directory(self.path.parent)
        with self._shared.hold(_REPLACE_TIMEOUT, exclusive=True):
            found = file_id(self.path)
            if self._connection is None:
                if is_damaged(self.path):
                    replacement.replace(self.path)
            elif found is None:
                replacement.replace_deleted(self.path, self._connection)
            elif found == self._file:
                replacement.replace(self.path)
            self._abandon()


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
