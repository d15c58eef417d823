"""Elects the one process of a group that samples its numbers, by the lock of a file. The lock ends with its process."""

import hashlib
from pathlib import Path

from telemetry import private_files
from telemetry.processes import forks
from telemetry.processes.file_lock import FileLock


class Election(forks.ForkAware):
    """One for each group: whoever asks first is elected, until it withdraws or ends. A process without a group always is."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._group = ""
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._lock: FileLock | None = None

    def is_elected(self, group: str) -> bool:
        """Whether this process samples the group; asked before each sample.

        Raises:
            OSError: the directory cannot be used.
        """
        if group != self._group or (self._lock is not None and not self._lock.is_in_place()):
            self.withdraw()  # somebody has removed the file: another process may have locked a new one
        self._group = group
        if not group:
            return True
        if self._lock is None:
            private_files.make_directory(self._directory)
            self._lock = FileLock.acquire(self._directory / f"recent-{_digest(group)}.lock")
        return self._lock is not None

    def withdraw(self) -> None:
        """Let another process be elected. Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


def _digest(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()[:16]
