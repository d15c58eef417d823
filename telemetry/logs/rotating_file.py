"""Files: logs that any number of processes write to and rotate, each line once and whole.

A process takes the lock of `.__<name>.lock`, beside the file, for each line, and rotates while it holds it. Never delete a
lock file: two processes with two locks rotate into each other.
"""

import re
import tempfile
from pathlib import Path
from typing import Final

from concurrent_log_handler import ConcurrentRotatingFileHandler

from telemetry import private_files
from telemetry.logs.handlers import FailsafeHandler

ALERTS_FILE: Final = "alerts.log"
JSON_FILE: Final = "sovani.jsonl"
_MIB: Final = 1024 * 1024
_BLOCK: Final = 4096
_KEPT: Final = 5
# `.rotate.` is what a file is called between two names; a process that dies there leaves it.
_ROTATED: Final = re.compile(rf"({re.escape(ALERTS_FILE)}|{re.escape(JSON_FILE)})\.(rotate\.)?[0-9]+(\.gz)?")


class RotatingFileHandler(FailsafeHandler, ConcurrentRotatingFileHandler):
    """A file that cannot be opened now is tried again with each record: it comes back by itself."""

    def __init__(self, path: Path, level: int | str, *, max_bytes: int = 5 * _MIB) -> None:
        super().__init__(
            path,
            maxBytes=max_bytes,
            backupCount=_KEPT,
            encoding="utf-8",
            unicode_error_policy="replace",
            chmod=private_files.FILE_MODE,
        )
        self.destination = str(path)
        self.setLevel(level)


def is_rotated(name: str) -> bool:
    """Whether a file of this name is one that we wrote and shall not write again."""
    return _ROTATED.fullmatch(name) is not None


def require_writable(directory: Path) -> None:
    """Make the directory, and write into it: a full disk still lets files be opened.

    Raises:
        OSError: it cannot be made, or it or one of its logs cannot be written to.
    """
    private_files.make_directory(directory)
    with tempfile.TemporaryFile(dir=directory) as probe:
        probe.write(bytes(_BLOCK))
        probe.flush()
    for log in (directory / ALERTS_FILE, directory / JSON_FILE):
        if log.exists():
            log.open("ab").close()
