"""Puts a new outbox in the place of a damaged one, with what could be recovered. Only one process does this at a time.

The new file is whole before it gets its name: a process that is killed in the middle costs nothing.
"""

import ctypes
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from telemetry import private_files, semconv
from telemetry.alerts.outbox import log_frames, salvage
from telemetry.alerts.outbox.page_image import MAX_BYTES
from telemetry.alerts.outbox.schema import SCHEMA
from telemetry.environment.runbook import RunbookSection

MAX_KEPT: Final = 5
"""Damaged outboxes that are kept; older ones are deleted."""
FileId = tuple[int, int]
"""The device and inode of a file."""
_CHECK_SECONDS: Final = 1.0
_STEPS: Final = 10_000
_OK: Final = "ok"
_ATTRIBUTES: Final = {semconv.ALERT_SECTION: str(RunbookSection.OUTBOX_DAMAGED)}
_log = logging.getLogger(__name__)


class OutboxDamaged(sqlite3.DatabaseError):
    """The outbox is damaged, although SQLite may not have noticed it."""


def file_id(path: Path) -> FileId | None:
    """None if there is nothing."""
    try:
        found = os.stat(path)  # noqa: PTH116  # at each transaction
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def has_to_be_replaced(path: Path) -> bool:
    """Whether something else than a database and its log is there, so that SQLite would lose what is in the log."""
    log = Path(f"{path}-wal")
    if any(_is_strange(each) for each in (path, log, Path(f"{path}-shm"))):
        return True
    if _size(path) < log_frames.PAGE_SIZE and (_size(path) or _size(log) or _new(path).exists()):
        return True
    return 0 < _size(log) <= MAX_BYTES and log_frames.is_damaged(log.read_bytes())


def check(connection: sqlite3.Connection) -> None:
    """Check the tables and their indexes. A check that takes too long is no finding.

    Raises:
        OutboxDamaged: a table or an index is wrong.
        sqlite3.DatabaseError: a page is wrong.
    """
    end = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        finding = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        finding = _OK
    finally:
        connection.set_progress_handler(None, 0)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if finding != _OK or not tables >= _tables():
        raise OutboxDamaged("the outbox is damaged")


def replace(path: Path) -> None:
    """Move the file and its log away, and put a new one with what they hold in their place. The caller has locked them.

    Raises:
        sqlite3.Error, OSError: the new file cannot be written. The old one is still there.
    """
    if _size(path) or not _new(path).exists():
        _build(path, lambda target: salvage.salvage(path, target))
    _exchange(path)


def replace_deleted(path: Path, connection: sqlite3.Connection) -> None:
    """Write the file again, with what a connection to the deleted one still reads. The caller has locked the path.

    Raises:
        sqlite3.Error, OSError: the new file cannot be written.
    """
    with suppress(sqlite3.Error):
        connection.execute("ROLLBACK")
    _build(path, lambda target: salvage.copy_all(connection, target))
    _exchange(path)


def abandon(connection: sqlite3.Connection) -> None:
    """Never close a connection to a file that is not at its path any more: that would delete the log of the new one."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _build(path: Path, fill: Callable[[Path], int]) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    Path(f"{unfinished}-journal").unlink(missing_ok=True)
    private_files.make_file(unfinished)
    number = fill(unfinished)
    unfinished.rename(_new(path))
    _log.info("%d alerts of the earlier outbox are recovered.", number)


def _exchange(path: Path) -> None:
    """Interrupted at any point, it leaves the old outbox, or none and the whole new one."""
    now = time.time_ns()
    aside = path.with_name(f"{path.name}.damaged-{now}")
    was_there = os.path.lexists(path)
    if was_there:
        path.rename(aside)
    _discard(Path(f"{path}-wal"), path.with_name(f"{path.name}-wal.of-{now}"))
    _discard(Path(f"{path}-shm"), path.with_name(f"{path.name}-shm.of-{now}"))
    _new(path).rename(path)
    if was_there:
        _log.error(
            "The outbox of alerts is damaged. It is kept as %s, and a new one begins.", aside.name, extra=_ATTRIBUTES
        )
        _prune(path)
    else:
        _log.error("The outbox of alerts was deleted. A new one begins.", extra=_ATTRIBUTES)


def _discard(path: Path, kept: Path) -> None:
    """The shared memory of a log is worth nothing; all else is kept."""
    if path.name.endswith("-shm") and not _is_strange(path):
        path.unlink(missing_ok=True)
    elif os.path.lexists(path):
        path.rename(kept)


def _prune(path: Path) -> None:
    for pattern in (f"{path.name}.damaged-*", f"{path.name}-wal.of-*"):
        for old in sorted(path.parent.glob(pattern))[:-MAX_KEPT]:
            with suppress(OSError):
                old.unlink()


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _is_strange(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return path.is_symlink()


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _tables() -> set[str]:
    return {line.split()[2] for line in SCHEMA.splitlines() if line.startswith("CREATE TABLE")}
