"""A lock on a file. The operating system releases it at once however its process ends."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from telemetry.processes import forks

_MAX_ATTEMPTS: Final = 200
_PAUSE: Final = 0.001


class FileLock(forks.ForkAware):
    """A lock that is held until `close`. A forked child does not keep it: it ends with the process that acquired it.

    Attributes:
        descriptor: of the open file.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self.descriptor = descriptor
        forks.register(self)

    @classmethod
    def acquire(cls, path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Self | None:
        """Lock a file without waiting for other holders. Returns None if another process has it, or has just removed it.

        Raises:
            OSError: the file cannot be opened, or its filesystem has no locks.
        """
        lock = cls._open(path, flags)
        try:
            if _try_lock(lock.descriptor) and os.fstat(lock.descriptor).st_nlink:
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()
        return None

    @classmethod
    def _open(cls, path: Path, flags: int) -> Self:
        """Open the file. A child that is forked at this moment knows nothing of the descriptor, so that is not locked."""
        while True:
            generation = forks.generation()
            lock = cls(path, os.open(path, flags, 0o600))
            if forks.generation() == generation:
                return lock
            lock.close()

    def is_in_place(self) -> bool:
        """Whether the locked file is still the one at its path, so that other processes see the lock."""
        with suppress(FileNotFoundError):
            return os.path.samestat(self._path.stat(), os.fstat(self.descriptor))
        return False

    def close(self) -> None:
        """Release the lock. Idempotent."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def restart_in_child(self) -> None:
        """Close the inherited descriptor. An explicit unlock would release the parent's lock."""
        self.close()


def is_locked(descriptor: int) -> bool:
    """Whether a `FileLock` is held on an open file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _try_lock(descriptor: int) -> bool:
    """`is_locked` of other processes shares the lock for an instant: nobody holds the file then."""
    for _ in range(_MAX_ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if is_locked(descriptor):
            break
        time.sleep(_PAUSE)
    return False
