"""`service.instance.id`: a stable id for each process that uses a data directory, held by a file lock."""

import fcntl
import logging
import os
import socket
import uuid
from pathlib import Path
from typing import IO, Final

from telemetry import private_files

_log = logging.getLogger(__name__)

_MAX_SLOTS: Final = 1024


class InstanceSlot:
    """An instance id that is the same after a restart, and that no two running processes share.

    Each process holds the first free slot of its data directory by a file lock. The operating system releases the lock however
    the process ends. The id is derived from the host name, the directory and the slot. Without a usable directory the id is
    random, with a warning.
    """

    def __init__(self, data_dir: Path) -> None:
        self._lock: IO[str] | None = None
        self.id = str(uuid.uuid4())
        try:
            slot = self._acquire(data_dir / "instances")
        except OSError as error:
            _log.warning("No stable instance id: %s cannot be used (%s).", data_dir, error.strerror)
        else:
            self.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{socket.gethostname()}{data_dir.resolve()}/{slot}"))

    def _acquire(self, directory: Path) -> int:
        private_files.make_directory(directory)
        for slot in range(_MAX_SLOTS):
            private_files.make_file(directory / f"{slot}.lock")
            lock = (directory / f"{slot}.lock").open("a")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                self._lock = lock
                return slot
        raise OSError(os.EX_UNAVAILABLE, "every slot is taken")

    def release(self) -> None:
        """Give the slot back. Idempotent."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def slots_in_use(data_dir: Path) -> bool:
    """Whether any process holds a slot of the directory."""
    for lock in (data_dir / "instances").glob("*.lock"):
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False
