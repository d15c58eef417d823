"""The registry of the processes of a data directory: the one answer to which of them live.

Each process holds the lock of the first free slot, and its entry is in that file. The operating system releases the lock
however the process ends, so that no entry of a dead process counts, whatever has its pid now.
"""

import errno
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.failsafe import failsafe
from telemetry.processes import forks
from telemetry.processes.file_lock import FileLock, is_locked
from telemetry.processes.process_entry import ProcessEntry

DIRECTORY: Final = "instances"
MAX_SLOTS: Final = 1024
REMOVAL_GRACE: Final = 10.0
"""Seconds that live processes have to register again when somebody has removed their files."""
_SUFFIX: Final = ".lock"
_DIRECTORY_ID: Final = "directory-id"
_MAX_ENTRY_BYTES: Final = 65536
_log = logging.getLogger(__name__)


class ProcessRegistry(forks.ForkAware):
    """This process among those of its data directory. A forked child is another process, with an entry of its own.

    Attributes:
        id: of this process, unique; also while it has no entry.
        group: the name of the group that it has joined; empty before.
        keeper: names the parent that keeps the group: see `ProcessGroup`. May be empty.
        slot: the number of the slot that it holds, or held last; -1 before.
    """

    def __init__(self, data_dir: Path, database: str = "") -> None:
        """Create the registry without an entry for this process.

        Args:
            data_dir: the data directory.
            database: which database this process writes to, without credentials.
        """
        self.data_dir = data_dir
        self.id = uuid.uuid4().hex
        self.group, self.keeper, self.slot = "", "", -1
        self._role = "main"
        self._database = database
        self._guard = threading.RLock()
        self._lock: FileLock | None = None
        self._entry = ProcessEntry()
        self._live: set[str] = set()
        self._grace_ends = 0.0
        forks.register(self)

    def register(self) -> ProcessEntry:
        """Take a slot and write the entry, if that is not done, or if somebody has removed the file.

        Raises:
            OSError: the directory cannot be used, its disk is full, or every slot is taken.
        """
        with self._guard:
            if self._lock is not None and not self._lock.is_in_place():
                self._grace_ends = time.monotonic() + REMOVAL_GRACE
                self.release()
            if self._lock is None:
                self._take_slot()
            return self._entry if self._entry.id else self._write_entry()

    def join(self, group: str, keeper: str = "") -> ProcessEntry:
        """Make this process one of a group, by its name.

        Raises:
            OSError: as `register`.
        """
        with self._guard:
            self.register()
            former, self.group, self._role = (self.group, self._role), group, "worker"
            try:
                entry = self._write_entry()
            except OSError:
                self.group, self._role = former
                raise
            self.keeper = keeper
            return entry

    def renew(self) -> None:
        """Register again where that is necessary and possible."""
        with suppress(OSError):
            self.register()

    def instance_id(self) -> str:
        """A `service.instance.id`: the same after a restart, and different from that of each other live process.

        Derived from the host, an id in the directory, and the slot; random, with a warning, if the directory cannot be used.
        (Containers may have the same host name and path.)
        """
        directory_id = ""
        try:
            directory_id = self._directory_id()
            self.register()
        except OSError as error:
            if self._lock is None or not directory_id:
                _log.warning("No stable instance id: %s cannot be used (%s).", self.data_dir, error.strerror)
                return str(uuid.uuid4())
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{socket.gethostname()}/{directory_id}/{self.slot}"))

    def live_ids(self) -> set[str]:
        """The ids of all live processes, in any case that of this one.

        After somebody has removed files of the registry, those that lived before count as live for `REMOVAL_GRACE`.

        Raises:
            OSError: the directory cannot be read.
        """
        if self._lock is not None:
            self.renew()
        live = {self.id, *(entry.id for entry in live_processes(self.data_dir))}
        self._live = live | self._live if time.monotonic() < self._grace_ends else live
        return self._live

    def lease_holder(self) -> str:
        """The name of this process in leases: its id, or, while it has no entry, a name that is never taken for dead."""
        return self.id if self._entry.id else f"{socket.gethostname()}:{os.getpid()}:{self.id}"

    def is_dead(self, lease_holder: str) -> bool:
        """Whether this was a process with an entry, and is dead. False if that cannot be told."""
        with suppress(OSError):
            return lease_holder.isalnum() and lease_holder not in self.live_ids()
        return False

    def release(self) -> None:
        """Give the slot back. Idempotent."""
        with self._guard:
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.close()
            self._entry = ProcessEntry()

    def restart_in_child(self) -> None:
        is_registered = self._lock is not None
        self._guard = threading.RLock()
        self.release()
        self.id, self._role, self.group, self.keeper = uuid.uuid4().hex, "child", "", ""
        if is_registered:
            with suppress(RuntimeError):  # no thread can be started; the child registers with its first job run
                threading.Thread(target=failsafe(self.renew), name="process-registry", daemon=True).start()

    def _directory_id(self) -> str:
        """The id of the data directory: random, and kept in a file, which the first of its processes makes."""
        path = self.data_dir / DIRECTORY / _DIRECTORY_ID
        with suppress(FileNotFoundError):
            return path.read_text()
        private_files.make_directory(path.parent)
        mine = path.with_name(f".{_DIRECTORY_ID}.{self.id}")
        private_files.make_file(mine)
        try:
            mine.write_text(uuid.uuid4().hex)
            with suppress(FileExistsError):  # another process was first
                path.hardlink_to(mine)
        finally:
            mine.unlink(missing_ok=True)
        return path.read_text()

    def _take_slot(self) -> None:
        directory = self.data_dir / DIRECTORY
        private_files.make_directory(directory)
        refusal = OSError(os.EX_UNAVAILABLE, "every slot is taken")
        for self.slot in range(MAX_SLOTS):
            try:
                self._lock = FileLock.acquire(directory / f"{self.slot}{_SUFFIX}")
            except (PermissionError, IsADirectoryError) as error:  # what another user has left is in nobody's way
                refusal = error
            if self._lock is not None:
                return
        raise refusal

    def _write_entry(self) -> ProcessEntry:
        """Overwrite what the file has: that needs no space on the disk, except in a new file."""
        entry = ProcessEntry.of_this_process(self.id, self.slot, self._role, self.group, self._database)
        line = entry.encode()
        if self._lock is None or os.pwrite(self._lock.descriptor, line, 0) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._entry = entry
        return entry


def live_processes(data_dir: Path) -> Iterator[ProcessEntry]:
    """The processes that hold a slot. One whose entry cannot be read is a live one without an id.

    Raises:
        OSError: the directory cannot be read.
    """
    directory = data_dir / DIRECTORY
    with suppress(FileNotFoundError, NotADirectoryError):  # no process has ever had a slot
        paths = sorted(path for path in directory.iterdir() if path.suffix == _SUFFIX)
        yield from (entry for path in paths if (entry := _read_live(path)) is not None)


def _read_live(path: Path) -> ProcessEntry | None:
    try:
        with path.open("rb") as file:
            return ProcessEntry.decode(file.readline(_MAX_ENTRY_BYTES)) if is_locked(file.fileno()) else None
    except (FileNotFoundError, IsADirectoryError):
        return None
    except PermissionError:  # of another user: whether its process lives cannot be told
        return ProcessEntry()
