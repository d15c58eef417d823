"""The group: the workers of one service find each other, without configuration, as children of one parent.

Each has a place in a directory of the parent's, by a file lock that the system gives back however the worker ends. Whoever is
alone, since nobody has spawned it as one of several, has no group.
"""

import fcntl
import multiprocessing
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Self

import psutil

from telemetry import private_files

_MAX_WORKERS: Final = 512
_SNAPSHOT: Final = ".json"


def parent_of_workers() -> int | None:
    """The process that spawned this one as a worker of several; None for a process that is none."""
    parent = multiprocessing.parent_process()
    return None if parent is None else parent.pid


def directory_of(data_dir: Path, parent: int) -> Path:
    """A service that is started again has another parent, or one that began at another time: another directory."""
    return data_dir / "workers" / f"{parent}-{_began(parent)}"


def remove_stale_directories(data_dir: Path) -> None:
    """Directories of parents that are gone. Nobody reads them; they only take space."""
    for directory in (data_dir / "workers").glob("*-*"):
        pid, _, began = directory.name.partition("-")
        # A container that shares the directory has processes that nobody sees from here; but its locks are seen.
        if pid.isdecimal() and _began(int(pid)) != began and not any(live_workers(directory)):
            shutil.rmtree(directory, ignore_errors=True)


def _began(pid: int) -> str:
    """In ticks since the machine began, where the system says it: a clock that is set changes no ticks. "" for no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        return str(int(psutil.Process(pid).create_time()))
    except psutil.Error:
        return ""


class WorkerSlot:
    """A worker's place, for as long as it lives. `id` is its alone; `number` is the first that was free."""

    def __init__(self, directory: Path, number: int, lock: IO[str]) -> None:
        self.number = number
        self.id = f"{number}-{uuid.uuid4().hex[:12]}"
        self._lock = lock
        lock.seek(0)
        lock.truncate()
        lock.write(self.id)
        lock.flush()
        self.snapshot = directory / f"{self.id}{_SNAPSHOT}"
        self.socket = directory / f"{self.id}.sock"

    @classmethod
    def take(cls, directory: Path) -> Self:
        """Raises:
        OSError: the directory cannot be used, or every place is taken.
        """
        private_files.make_directory(directory)
        for number in range(_MAX_WORKERS):
            lock = os.fdopen(os.open(directory / f"{number}.place", os.O_RDWR | os.O_CREAT, 0o600), "r+")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                return cls(directory, number, lock)
        raise OSError(os.EX_UNAVAILABLE, "every place is taken")

    def leave(self) -> None:
        self._lock.close()


def live_workers(directory: Path) -> Iterator[str]:
    """The ids of the workers that live."""
    for path in sorted(directory.glob("*.place")):
        with path.open() as place:
            try:
                fcntl.flock(place, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield place.read()


def other_files(directory: Path) -> list[tuple[str, Path]]:
    """Sockets, and what was being written, each with the id of its worker."""
    sockets = [(path.stem, path) for path in directory.glob("[0-9]*-*.sock")]
    return [*sockets, *((path.name[1:].partition(".")[0], path) for path in directory.glob(".[0-9]*-*.partial"))]


def snapshots(directory: Path) -> dict[str, Path]:
    """The snapshots that are there, by the id of their worker."""
    return {path.name.removesuffix(_SNAPSHOT): path for path in directory.glob(f"[0-9]*-*{_SNAPSHOT}")}
