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
_MIB: Final = 1024 * 1024
_BLOCK: Final = 4096
_KEPT: Final = 5
# `.rotate.` is what a file is called between two names; a process that dies there leaves it.
_ROTATED: Final = r"\.(rotate\.)?[0-9]+(\.gz)?"


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


def json_file(service_name: str) -> str:
    return f"{service_name}.jsonl"


def is_rotated(name: str, service_name: str) -> bool:
    """Whether a file of this name is a rotated log of the service, which is not written to any more."""
    logs = "|".join(re.escape(log) for log in (ALERTS_FILE, json_file(service_name)))
    return re.fullmatch(f"({logs}){_ROTATED}", name) is not None


def require_writable(directory: Path, service_name: str) -> None:
    """Make the directory, and write into it: a full disk still lets files be opened.

    Raises:
        OSError: it cannot be made, or it or one of its logs cannot be written to.
    """
    private_files.make_directory(directory)
    with tempfile.TemporaryFile(dir=directory) as probe:
        probe.write(bytes(_BLOCK))
        probe.flush()
    for log in (directory / ALERTS_FILE, directory / json_file(service_name)):
        if log.exists():
            log.open("ab").close()
