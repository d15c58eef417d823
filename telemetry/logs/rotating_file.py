"""Log files that several processes write and rotate without losing or mixing lines.

For each line a process takes the lock of `.__<name>.lock`, beside the file, and rotates while it holds the lock. Never
delete a lock file: two processes with two locks overwrite each other's rotated files.
"""

import re
import tempfile
from pathlib import Path
from typing import Final

from concurrent_log_handler import ConcurrentRotatingFileHandler

from telemetry import private_files
from telemetry.logs.handlers import FailsafeHandler

ALERTS_FILE: Final = "alerts.log"
_MIB: Final = 1024 * 1024
_PROBE_BYTES: Final = 4096
_BACKUP_COUNT: Final = 5
# A process that dies while it rotates leaves a file with `.rotate.` in its name.
_ROTATED_SUFFIX: Final = r"\.(rotate\.)?[0-9]+(\.gz)?"


_forgotten: Final[list[object]] = []
"""Never freed: that would flush them, and wait for the lock of a thread that is in the parent only."""


class RotatingFileHandler(FailsafeHandler, ConcurrentRotatingFileHandler):
    """Tries again with each record to open a file that could not be opened."""

    def __init__(self, path: Path, level: int | str, *, max_bytes: int = 5 * _MIB) -> None:
        super().__init__(
            path,
            maxBytes=max_bytes,
            backupCount=_BACKUP_COUNT,
            encoding="utf-8",
            unicode_error_policy="replace",
            chmod=private_files.FILE_MODE,
        )
        self.destination = str(path)
        self.setLevel(level)
        self._is_abandoned = False

    def abandon(self) -> None:
        self._is_abandoned = True

    def flush(self) -> None:
        if not self._is_abandoned:
            super().flush()

    def close(self) -> None:
        if not self._is_abandoned:
            super().close()

    def forget_stream(self) -> None:
        _forgotten.append(self.stream)
        self.stream = None


def json_file(service_name: str) -> str:
    return f"{service_name}.jsonl"


def is_rotated(name: str, service_name: str) -> bool:
    """Whether this is the name of a rotated log of ours, which is not written again."""
    logs = "|".join(re.escape(log) for log in (ALERTS_FILE, json_file(service_name)))
    return re.fullmatch(f"({logs}){_ROTATED_SUFFIX}", name) is not None


def require_writable(directory: Path, service_name: str) -> None:
    """Create the directory, and write into it as a test: on a full disk files can still be opened.

    Raises:
        OSError: the directory cannot be created or written, or a log in it cannot be opened.
    """
    private_files.make_directory(directory)
    with tempfile.TemporaryFile(dir=directory) as probe:
        probe.write(bytes(_PROBE_BYTES))
        probe.flush()
    for log in (directory / ALERTS_FILE, directory / json_file(service_name)):
        if log.exists():
            log.open("ab").close()
