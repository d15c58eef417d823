"""Finds and reads the spools that dead processes left behind."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from telemetry.jobs.recorder.spool import SEGMENT_SUFFIX
from telemetry.jobs.recorder.spool_codec import MAX_LINE_BYTES, decode, decode_database
from telemetry.jobs.run import JobRun
from telemetry.processes.file_lock import FileLock

_LOCK_SUFFIX: Final = ".lock"
_MAX_REPORTED: Final = 100
_MAX_UNREADABLE_BYTES: Final = 4 * 2**20
_reported: Final[set[Path]] = set()
_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class OrphanedSpool:
    """The spool files of a dead process. This process holds their lock until it removes or releases them.

    `unreadable` counts the lines that are incomplete, or no runs; `lines` has the first of them, up to `_MAX_UNREADABLE_BYTES`.
    """

    directory: Path
    id: str
    lock: FileLock
    unreadable: int = 0
    lines: list[bytes] = field(default_factory=list)

    def runs(self) -> Iterator[JobRun]:
        """Read the runs in the order in which they were appended. Other lines are counted.

        Raises:
            OSError: the disk cannot be read.
        """
        self.unreadable, self.lines = 0, []
        room = _MAX_UNREADABLE_BYTES
        for path in _segments(self.directory, self.id):
            for run in _runs(path):
                if isinstance(run, JobRun):
                    yield run
                    continue
                self.unreadable += 1
                if (room := room - len(run)) > 0:
                    self.lines.append(run)

    def oldest_write_time(self) -> float:
        """The modification time of the oldest file, as Unix time; the current time if there is no file."""
        for path in _segments(self.directory, self.id):
            with suppress(OSError):
                return path.stat().st_mtime
        return time.time()

    def remove(self) -> None:
        """Delete the files and release the lock. The locked file goes last: until then another process finds the rest."""
        for path in reversed(_segments(self.directory, self.id)):
            path.unlink(missing_ok=True)
        _lock_of_earlier_version(self.directory, self.id).unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        self.lock.close()


def acquire_orphaned_spools(
    directory: Path, live_ids: Callable[[], set[str]], is_foreign: Callable[[str], bool] = lambda _spool: False
) -> Iterator[OrphanedSpool]:
    """Lock and yield the spools whose process is dead. The caller removes or releases each of them.

    Args:
        directory: the spool directory.
        live_ids: returns the ids of the live processes.
        is_foreign: tells whether the spool with an id is for another database, and is left alone.
    """
    found = _spools(directory)
    live = live_ids() if found else set()  # read last: a process that started meanwhile has no file in `found`
    for spool in sorted(found - live):
        if not is_foreign(spool) and (lock := _acquire(directory, spool)) is not None:
            yield OrphanedSpool(directory, spool, lock)


def _acquire(directory: Path, spool: str) -> FileLock | None:
    """Lock the oldest file of a spool: that needs no space on the disk."""
    lock = _lock_of_earlier_version(directory, spool)
    path = lock if lock.exists() else next(iter(_segments(directory, spool)), lock)
    with suppress(FileNotFoundError):  # another process has replayed it meanwhile
        try:
            return FileLock.acquire(path, os.O_RDWR)
        except PermissionError:  # another user has left it, and another process can recover it
            _warn_of_foreign_file(path)
    return None


def _warn_of_foreign_file(path: Path) -> None:
    if path not in _reported and len(_reported) < _MAX_REPORTED:
        _reported.add(path)
        _log.warning("Job runs of another user are not recovered: %s cannot be opened.", path)


def read_open_runs(directory: Path) -> set[str]:
    """The ids of the runs that are open in any spool of this directory, including those of living processes."""
    found: set[str] = set()
    for spool in _spools(directory):
        started: set[str] = set()
        for run in (run for segment in _segments(directory, spool) for run in _readable_runs(segment)):
            if isinstance(run, JobRun):
                (started.discard if run.finished_at is not None else started.add)(run.run_id)
        found |= started
    return found


def _readable_runs(path: Path) -> Iterable[JobRun | bytes]:
    """The runs up to where the file cannot be read, such as that of another user."""
    with suppress(OSError):
        yield from _runs(path)


def _runs(path: Path) -> Iterable[JobRun | bytes]:
    """The runs of a file, and the lines that are none."""
    try:
        with path.open("rb") as file:
            for line in _lines(file):
                if decode_database(line) is None:
                    yield decode(line) or line
    except FileNotFoundError:
        return


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines, each cut to `MAX_LINE_BYTES`."""
    while line := file.readline(MAX_LINE_BYTES):
        rest = line
        while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
        yield line


def _segments(directory: Path, spool: str) -> list[Path]:
    """The files of a spool by name, which is the order of their creation."""
    return [path for path in _files(directory, SEGMENT_SUFFIX) if path.name.startswith(f"{spool}.")]


def _lock_of_earlier_version(directory: Path, spool: str) -> Path:
    """An earlier version makes and locks this file for each of its spools, as long as the process of the spool lives."""
    return directory / f"{spool}{_LOCK_SUFFIX}"


def _spools(directory: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in _files(directory, SEGMENT_SUFFIX, _LOCK_SUFFIX)}


def _files(directory: Path, *suffixes: str) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(path for path in directory.iterdir() if path.suffix in suffixes and path.is_file())
    return []
