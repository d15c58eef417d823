"""Membership: finds the workers of one service without configuration, as children of one parent process.

Each worker holds a slot in its parent's directory by a file lock. The operating system releases the lock however the worker
ends. A process that was not spawned as a worker belongs to no group.
"""

import fcntl
import multiprocessing
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Self

import psutil

from telemetry import private_files, semconv

_MAX_WORKERS: Final = 512
_SNAPSHOT: Final = ".json"


def parent_of_workers() -> int | None:
    """The pid of the process that spawned this one as a worker; None if it is no worker."""
    parent = multiprocessing.parent_process()
    return None if parent is None else parent.pid


def group_directory(data_dir: Path, parent: int) -> Path:
    """The directory of a parent's workers, named by pid and start time: a restarted service gets another one."""
    return data_dir / "workers" / f"{parent}-{_start_time(parent)}"


def remove_stale_directories(data_dir: Path) -> None:
    """Remove the directories of parents that have ended: they are never read again."""
    for directory in (data_dir / "workers").glob("*-*"):
        pid, _, started = directory.name.partition("-")
        # The processes of another container on the same volume are not visible here, but their locks are.
        if pid.isdecimal() and _start_time(int(pid)) != started and not any(live_workers(directory)):
            shutil.rmtree(directory, ignore_errors=True)


def _start_time(pid: int) -> str:
    """When a process started; "" if there is no such process.

    In clock ticks since boot where `/proc` has them, since a change of the wall clock does not affect those.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        return str(int(psutil.Process(pid).create_time()))
    except psutil.Error:
        return ""


class WorkerSlot:
    """The slot that a worker holds while it lives.

    Attributes:
        number: the first number that was free, which later workers reuse.
        id: unique to this worker.
        snapshot_path: the file of the worker's snapshot.
        socket_path: the socket on which the worker takes refresh requests.
    """

    def __init__(self, directory: Path, number: int, lock: IO[str]) -> None:
        self.number = number
        self.id = f"{number}-{uuid.uuid4().hex[:12]}"
        self._lock = lock
        lock.seek(0)
        lock.truncate()
        lock.write(self.id)
        lock.flush()
        self.snapshot_path = directory / f"{self.id}{_SNAPSHOT}"
        self.socket_path = directory / f"{self.id}.sock"

    @classmethod
    def acquire(cls, directory: Path) -> Self:
        """Acquire the first free slot; creates the directory if it is missing.

        Raises:
            OSError: the directory cannot be used, or all slots are in use.
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

    def mark_exited(self) -> None:
        """Note that this worker ends in order: its last snapshot becomes read-only, which needs no space on the disk."""
        self.snapshot_path.chmod(stat.S_IRUSR)

    def release(self) -> None:
        """Give the slot back."""
        self._lock.close()


def live_workers(directory: Path) -> Iterator[str]:
    """The ids of the workers that are alive: those that hold their slot's lock."""
    for path in sorted(directory.glob("*.place")):
        with path.open() as slot:
            try:
                fcntl.flock(slot, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield slot.read()


def transient_files(directory: Path) -> list[tuple[str, Path]]:
    """Sockets and partly written snapshots, each with its worker's id."""
    sockets = [(path.stem, path) for path in directory.glob("[0-9]*-*.sock")]
    return [*sockets, *((path.name[1:].partition(".")[0], path) for path in directory.glob(".[0-9]*-*.partial"))]


def end_reason(snapshot_path: Path) -> str:
    """How the worker that left this snapshot ended.

    Raises:
        OSError: the file is missing.
    """
    return semconv.WORKER_KILLED if snapshot_path.stat().st_mode & stat.S_IWUSR else semconv.WORKER_EXITED


def snapshot_files(directory: Path) -> dict[str, Path]:
    """The snapshot files in a directory, by worker id."""
    return {path.name.removesuffix(_SNAPSHOT): path for path in directory.glob(f"[0-9]*-*{_SNAPSHOT}")}
