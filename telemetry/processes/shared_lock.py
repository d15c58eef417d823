"""A lock on a file that many processes share, or that one has alone. Every wait has a deadline."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from telemetry.processes import forks

_PAUSE: Final = 0.002


class SharedLock(forks.ForkAware):
    """For one thread at a time, which may hold it more than once.

    The operating system releases it however its process ends; a forked child does not keep it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._depth = 0
        forks.register(self)

    @contextmanager
    def hold(self, timeout: float, *, exclusive: bool = False) -> Generator[None]:
        """`acquire` and `release` around a block."""
        self.acquire(timeout, exclusive=exclusive)
        try:
            yield
        finally:
            self.release()

    def acquire(self, timeout: float, *, exclusive: bool = False) -> None:
        """Take the lock with others, or alone.

        Raises:
            TimeoutError: others held it for so many seconds, or it is to be held alone by a thread that shares it.
            OSError: the file cannot be opened, or its filesystem has no locks.
        """
        if not self._depth:
            self._wait(fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, time.monotonic() + timeout)
        elif exclusive:
            raise TimeoutError("the lock is shared by this thread")
        self._depth += 1

    def release(self) -> None:
        """In a child that was forked meanwhile, this does nothing: the lock is the parent's."""
        if self._depth:
            self._depth -= 1
            if not self._depth:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def restart_in_child(self) -> None:
        """Close the inherited descriptor. An explicit unlock would release the parent's lock."""
        self.close()

    def close(self) -> None:
        descriptor, self._descriptor, self._depth = self._descriptor, -1, 0
        if descriptor >= 0:
            os.close(descriptor)

    def _wait(self, kind: int, end: float) -> None:
        while True:
            is_new = self._descriptor < 0
            if self._is_locked(kind):
                if (kind == fcntl.LOCK_SH and not is_new) or self._is_in_place():
                    return
                self.close()  # somebody has removed the file: others lock another one
            elif time.monotonic() > end:
                raise TimeoutError("the lock is held by others")
            else:
                time.sleep(_PAUSE)

    def _is_locked(self, kind: int) -> bool:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False
