"""The files of the workers of one service, which are one group of processes: snapshots and sockets, by process id."""

import re
import shutil
import stat
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from telemetry import private_files, semconv
from telemetry.processes.process_entry import is_alive
from telemetry.processes.process_group import ProcessGroup, is_keeper_alive
from telemetry.processes.registry import DIRECTORY as REGISTRY
from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.processes.shared_lock import SharedLock

_DIRECTORY: Final = "workers"
_SNAPSHOT: Final = ".json"
_NUMBERS: Final = ".numbers"
_SOCKET: Final = ".sock"
_KEEPER: Final = ".keeper"
_LOCK: Final = "groups"
_LOCK_TIMEOUT: Final = 2.0
_OWN_DIRECTORY: Final = re.compile(r"(named-.+|(port|socket)-[0-9a-f]{24}|\d+-\d+)")
"""The last are those of earlier versions, which are called after a parent process."""


def group_directory(data_dir: Path, group: str) -> Path:
    """Where the members of a group keep their files. It is removed some time after the group has ended."""
    return data_dir / _DIRECTORY / group


def join_group(registry: ProcessRegistry, group: ProcessGroup) -> None:
    """Make this process one of the group. A group that has ended begins afresh; what other ended ones left is removed.

    Raises:
        OSError: the data directory cannot be used.
    """
    registry.register()
    with _alone(registry.data_dir):
        _remove_ended(registry.data_dir)
        registry.join(group.name, group.keeper)
        directory = group_directory(registry.data_dir, group.name)
        private_files.make_directory(directory)
        if group.keeper:
            private_files.make_file(directory / f"{group.keeper}{_KEEPER}")


@contextmanager
def _alone(data_dir: Path) -> Generator[None]:
    """One process at a time, so that none removes the directory that another one enters. None waits for long."""
    with closing(SharedLock(data_dir / REGISTRY / _LOCK)) as lock:
        with suppress(TimeoutError):  # its holder was stopped amid this: what it enters has an entry, or is empty
            lock.acquire(_LOCK_TIMEOUT, exclusive=True)
        yield


def _remove_ended(data_dir: Path) -> None:
    """Remove the directories of groups of which no process lives, and no parent that would spawn one."""
    live = list(live_processes(data_dir))
    if not all(entry.id for entry in live):  # an earlier version, perhaps: it does not say whose worker it is
        return
    # The processes of another container on the same volume are not visible here, but their entries are.
    groups = {entry.group for entry in live}
    for directory in (data_dir / _DIRECTORY).glob("*-*"):
        if _OWN_DIRECTORY.fullmatch(directory.name) and directory.name not in groups and not _is_kept(directory):
            shutil.rmtree(directory, ignore_errors=True)


def _is_kept(directory: Path) -> bool:
    keepers = [path.name.removesuffix(_KEEPER) for path in directory.glob(f"*{_KEEPER}")]
    return any(map(is_keeper_alive, keepers)) or is_alive(directory.name)


class WorkerFiles:
    """The files of one worker.

    Attributes:
        directory: that of its group.
        id: that of its process.
        label: tells the worker from others on `/metrics`; later workers reuse it.
        snapshot_path: the file of the worker's snapshot; empty until the first one is written.
        socket_path: the socket on which the worker takes refresh requests.
    """

    def __init__(self, registry: ProcessRegistry) -> None:
        """Register the process and create the directory.

        Raises:
            OSError: that is not possible.
        """
        process = registry.register()
        self.directory = group_directory(registry.data_dir, process.group)
        private_files.make_directory(self.directory)
        self.id = process.id
        self.label = str(process.slot)
        self.snapshot_path = self.directory / f"{self.id}{_SNAPSHOT}"
        self.socket_path = self.directory / f"{self.id}{_SOCKET}"
        with suppress(OSError):  # the others count a worker that ends by its file: also one without a first snapshot
            private_files.make_file(self.snapshot_path)

    def mark_exited(self) -> None:
        """Note that this worker ends in order: its last snapshot becomes read-only, which needs no space on the disk."""
        self.snapshot_path.chmod(stat.S_IRUSR)


def transient_files(directory: Path) -> list[tuple[str, Path]]:
    """Sockets, partly written snapshots and numbers that complete no snapshot, each with its worker's id."""
    numbers = [path for path in directory.glob(f"*{_NUMBERS}") if not path.with_suffix(_SNAPSHOT).exists()]
    found = [*directory.glob(f"*{_SOCKET}"), *directory.glob(f".*{_SNAPSHOT}.partial"), *numbers]
    return [(path.name.strip(".").partition(".")[0], path) for path in found]


def end_reason(snapshot_path: Path) -> str:
    """How the worker that left this snapshot ended.

    Raises:
        OSError: the file is missing.
    """
    return semconv.WORKER_KILLED if snapshot_path.stat().st_mode & stat.S_IWUSR else semconv.WORKER_EXITED


def live_members(data_dir: Path, directory: Path) -> set[str]:
    """The ids of the live processes that use a directory of workers, with files in it or without."""
    return {entry.id for entry in live_processes(data_dir) if entry.group == directory.name}


def has_files(directory: Path, worker: str) -> bool:
    """Whether a worker has its snapshot and its socket. One that has ended in order needs no socket."""
    try:
        is_over = end_reason(directory / f"{worker}{_SNAPSHOT}") == semconv.WORKER_EXITED
    except OSError:
        return False
    return is_over or (directory / f"{worker}{_SOCKET}").exists()


def snapshot_files(directory: Path) -> dict[str, Path]:
    """The snapshot files in a directory, by worker id."""
    return {path.name.removesuffix(_SNAPSHOT): path for path in directory.glob(f"[!.]*{_SNAPSHOT}")}


def numbers_file(snapshot_path: Path) -> Path:
    """The file with the counters and histograms of the worker that has this snapshot: newer than that, if it was killed."""
    return snapshot_path.with_suffix(_NUMBERS)
