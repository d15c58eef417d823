"""The file `recent.db`, which a machine's processes share. It is a cache: a damaged or deleted one is made anew.

A process that opens or replaces the file holds a lock on `recent.db.lock` alone. Everybody else compares, before each use, the
file at the path with the one that is open, and opens the new one.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from telemetry import private_files
from telemetry.database.sqlite_files import FileId, file_id, file_transaction
from telemetry.processes import forks
from telemetry.processes.shared_lock import SharedLock
from telemetry.recent.recent_file import BUSY_TIMEOUT, RecentUnavailable, connected, is_damage

RECENT_FILE: Final = Path("recent.db")
READ_DEADLINE: Final = 2.0
"""Seconds after which a query ends with an error."""
_OPEN_TIMEOUT: Final = 2.0
_IDLE_READERS: Final = 4
_STEPS: Final = 2000  # instructions of SQLite between two looks at the clock
_of_parents: Final[list["_Opened"]] = []
"""Never closed: SQLite does not allow that in a forked child."""
_log = logging.getLogger(__name__)


class _Opened(NamedTuple):
    """A connection, and the file that it is to."""

    connection: sqlite3.Connection
    file: FileId | None


class RecentDatabase(forks.ForkAware):
    """Opened when first needed, also after a fork. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._readers: list[_Opened] = []
        self._writer: _Opened | None = None
        self._is_closed = False
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        _of_parents.extend((*self._readers, *filter(None, (self._writer,))))
        self._readers, self._writer = [], None
        self._file: FileId | None = None
        self._was_deleted = False
        self._opening, self._writing = threading.RLock(), threading.RLock()

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection that only reads, for this thread alone. A query of more than `READ_DEADLINE` seconds is an error.

        Raises:
            sqlite3.Error, OSError: the file cannot be used now. A damaged one is made anew for the next caller.
        """
        opened = self._reader()
        end = time.monotonic() + READ_DEADLINE
        opened.connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            with self._replacing_damaged(opened):
                yield opened.connection
        except BaseException:
            opened.connection.close()
            raise
        self._give_back(opened)

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A write transaction, which is to be short: other processes wait for it, for `BUSY_TIMEOUT` seconds.

        Raises:
            sqlite3.Error, OSError: the file cannot be written now, or others write for too long.
        """
        if not self._writing.acquire(timeout=BUSY_TIMEOUT):
            raise RecentUnavailable("another thread writes for too long")
        try:
            opened = self._current_writer()
            with self._replacing_damaged(opened), file_transaction(opened.connection):
                yield opened.connection
        except BaseException:
            self._close_writer()  # a file that was opened on a disk that takes no writes stays so when the disk does again
            raise
        finally:
            if self._is_closed:
                self._close_writer()
            self._writing.release()

    def size(self) -> int:
        """Bytes that the file and its log take on the disk."""
        return _size(self.path) + _size(Path(f"{self.path}-wal"))

    def close(self) -> None:
        """Close what nothing uses at this moment. From now on each use opens the file, and closes it again."""
        self._is_closed = True
        if self._writing.acquire(timeout=BUSY_TIMEOUT):
            self._close_writer()
            self._writing.release()
        self._forget()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.connection.close()
            self._writer = None

    def _current_writer(self) -> _Opened:
        self._look_at_file()
        if self._writer is not None and self._writer.file != self._file:
            self._close_writer()
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _reader(self) -> _Opened:
        with self._opening:
            self._look_at_file()
            if self._readers:
                return self._readers.pop()
        opened = self._connect()
        opened.connection.execute("PRAGMA query_only=ON")
        return opened

    def _give_back(self, opened: _Opened) -> None:
        opened.connection.set_progress_handler(None, 0)
        with self._opening:
            is_free = opened.file == self._file and not opened.connection.in_transaction
            if is_free and not self._is_closed and len(self._readers) < _IDLE_READERS:
                self._readers.append(opened)
                return
        opened.connection.close()

    def _connect(self) -> _Opened:
        """Open the file that is there, or make it."""
        private_files.make_directory(self.path.parent)
        with self._opening, self._alone():
            if self._was_deleted and file_id(self.path) is None:
                self._say("was deleted")
            self._was_deleted = False
            if (connection := self._try_to_connect()) is None and (connection := self._try_to_connect()) is None:
                raise RecentUnavailable("the file cannot be made anew")
            self._file = file_id(self.path)
            return _Opened(connection, self._file)

    def _try_to_connect(self) -> sqlite3.Connection | None:
        """None if the file could not be used and was removed."""
        try:
            if (connection := connected(self.path)) is not None:
                return connection
            reason = "is of an earlier version"
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            reason = "is damaged"
        self._remove(reason)
        return None

    def _look_at_file(self) -> None:
        """Forget the connections to a file that is not at the path any more."""
        with self._opening:
            if self._file is not None and (found := file_id(self.path)) != self._file:
                self._was_deleted = found is None
                self._forget()

    def _forget(self) -> None:
        """SQLite leaves the log of a file alone that is not at its path any more. The writer closes its connection itself."""
        with self._opening:
            readers, self._readers, self._file = self._readers, [], None
        for each in readers:
            each.connection.close()

    @contextmanager
    def _replacing_damaged(self, opened: _Opened) -> Generator[None]:
        """Make the file anew for the next caller, if this one finds that it is damaged."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                with self._opening, self._alone():
                    if file_id(self.path) == opened.file:
                        self._make_anew("is damaged")
            raise

    @contextmanager
    def _alone(self) -> Generator[None]:
        lock = SharedLock(self._lock_path)
        try:
            with lock.hold(_OPEN_TIMEOUT, exclusive=True):
                yield
        finally:
            lock.close()

    def _make_anew(self, reason: str) -> None:
        """At once, so that other processes find a new file, and do not say that it was deleted."""
        self._remove(reason)
        with suppress(sqlite3.Error, OSError):  # whoever uses it next tries again
            if (connection := connected(self.path)) is not None:
                connection.close()

    def _remove(self, reason: str) -> None:
        self._forget()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self._say(reason)

    def _say(self, reason: str) -> None:
        _log.warning("%s %s. It is made anew; the console has lost what was in it.", self.path.name, reason)


def _size(path: Path) -> int:
    """0 if there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
