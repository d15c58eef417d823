"""Finds and reads the spools that dead processes left behind."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.jobs.recorder.spool import LOCK_SUFFIX, SEGMENT_SUFFIX, try_lock
from telemetry.jobs.recorder.spool_codec import decode
from telemetry.jobs.run import JobRun

_MAX_LINE_BYTES: Final = 2**20  # a longer line is unreadable


@dataclass(slots=True)
class OrphanedSpool:
    """The spool files of a dead process. This process holds their lock until it removes or releases them."""

    directory: Path
    id: str
    lock: int
    unreadable: int = 0

    def runs(self) -> Iterator[JobRun]:
        """Read the runs in the order in which they were appended. Incomplete lines are counted in `unreadable`.

        Raises:
            OSError: the disk cannot be read.
        """
        self.unreadable = 0
        for path in _segments(self.directory, self.id):
            for run in _runs(path):
                if run is None:
                    self.unreadable += 1
                else:
                    yield run

    def oldest_write_time(self) -> float:
        """The modification time of the oldest file, as Unix time; the current time if there is no file."""
        for path in _segments(self.directory, self.id):
            with suppress(OSError):
                return path.stat().st_mtime
        return time.time()

    def remove(self) -> None:
        """Delete the files and release the lock. The lock file goes last: until then another process finds the rest."""
        for path in _segments(self.directory, self.id):
            path.unlink(missing_ok=True)
        (self.directory / f"{self.id}{LOCK_SUFFIX}").unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        os.close(self.lock)


def acquire_orphaned_spools(directory: Path) -> Iterator[OrphanedSpool]:
    """Lock and yield the spools whose process is dead. The caller removes or releases each of them."""
    for path in _locks(directory):
        lock = try_lock(path)
        if lock is not None:
            yield OrphanedSpool(directory, path.name.removesuffix(LOCK_SUFFIX), lock)


def remove_unfinished_locks(directory: Path) -> None:
    """Delete the lock files of processes that were killed while creating them."""
    for path in _files(directory, ".new"):
        lock = try_lock(path)
        if lock is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            os.close(lock)


def read_open_runs(directory: Path) -> set[str]:
    """The ids of the runs that are open in any spool of this directory, including those of living processes."""
    found: set[str] = set()
    for path in _locks(directory):
        started: set[str] = set()
        for run in (
            run for segment in _segments(directory, path.name.removesuffix(LOCK_SUFFIX)) for run in _runs(segment)
        ):
            if run is not None:
                (started.discard if run.finished_at is not None else started.add)(run.run_id)
        found |= started
    return found


def _runs(path: Path) -> Iterable[JobRun | None]:
    try:
        with path.open("rb") as lines:
            while line := lines.readline(_MAX_LINE_BYTES):
                yield decode(line)
    except FileNotFoundError:
        return


def _segments(directory: Path, spool: str) -> list[Path]:
    return [path for path in _files(directory, SEGMENT_SUFFIX) if path.name.startswith(f"{spool}.")]


def _locks(directory: Path) -> list[Path]:
    return _files(directory, LOCK_SUFFIX)


def _files(directory: Path, suffix: str) -> list[Path]:
    """The files with this suffix by name, which is the order of their creation."""
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(suffix))
    except FileNotFoundError:
        return []
