"""Elects the one process of a group that samples its numbers, by the lock of a file. The lock ends with its process."""

from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.metrics.multiprocess.worker_files import group_directory
from telemetry.processes import forks
from telemetry.processes.file_lock import FileLock

_LOCK: Final = "recent.lock"


class Election(forks.ForkAware):
    """One for each group: whoever asks first is elected, until it withdraws, ends or is deposed. A process without a group always is."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
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
            directory = group_directory(self._data_dir, group)  # which is removed after the group has ended
            private_files.make_directory(directory)
            self._lock = FileLock.acquire(directory / _LOCK)
        return self._lock is not None

    def take_over(self) -> bool:
        """Depose the process that is elected, which notices it before its next sample. Returns whether this one is elected now.

        Raises:
            OSError: the directory cannot be used.
        """
        (group_directory(self._data_dir, self._group) / _LOCK).unlink(missing_ok=True)
        return self.is_elected(self._group)

    def withdraw(self) -> None:
        """Let another process be elected. Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()
