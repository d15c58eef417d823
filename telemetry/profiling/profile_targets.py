"""Finds the processes of the service that can be profiled: those of a data directory that run on this machine."""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from telemetry.processes.process_entry import ProcessEntry, start_time
from telemetry.processes.registry import live_processes


@dataclass(frozen=True, slots=True)
class ProfileTarget:
    """A process to be profiled. `name` is what it is called in the profile and in messages."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class FoundProcesses:
    """The processes of a data directory. `elsewhere` is how many are not visible here.

    Those run in another container or on another machine with the same directory, or belong to another user.
    """

    here: tuple[ProfileTarget, ...]
    elsewhere: int = 0

    def of_pid(self, pid: int) -> ProfileTarget | None:
        return next((each for each in self.here if each.pid == pid), None)


def find_processes(data_dir: Path, *, with_this_one: bool = False) -> FoundProcesses:
    """Find the live processes of a data directory.

    Args:
        data_dir: the data directory.
        with_this_one: whether this process may be among them.

    Raises:
        OSError: the directory cannot be read.
    """
    entries = [entry for entry in live_processes(data_dir) if with_this_one or entry.pid != os.getpid()]
    here = [entry for entry in entries if _is_here(entry)]
    return FoundProcesses(tuple(_targets(here)), len(entries) - len(here))


def _is_here(entry: ProcessEntry) -> bool:
    return bool(entry.pid) and entry.host == socket.gethostname() and start_time(entry.pid) == entry.started_at


def _targets(entries: Iterable[ProcessEntry]) -> Iterable[ProfileTarget]:
    for entry in sorted(entries, key=lambda each: each.slot):
        role = f"worker {entry.slot}" if entry.role == "worker" else entry.role
        yield ProfileTarget(entry.pid, f"{role} (pid {entry.pid})")
