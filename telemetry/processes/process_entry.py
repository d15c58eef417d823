"""What a process of a data directory is, as its entry in the registry says."""

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import psutil


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """A process. Everything is empty for one that cannot be read, such as that of an earlier version.

    Attributes:
        id: unique, and never used again.
        slot: the first number that was free, which later processes reuse.
        role: `worker` for one of a group, `child` for a forked one that is in none, else `main`.
        group: the name of its `ProcessGroup`; empty if it is in none.
        started_at: tells the process from a later one with the same pid: see `start_time`.
        database: which database it writes to, without credentials.
    """

    id: str = ""
    slot: int = -1
    role: str = ""
    group: str = ""
    host: str = ""
    pid: int = 0
    started_at: str = ""
    database: str = ""

    @classmethod
    def of_this_process(cls, process_id: str, slot: int, role: str, group: str, database: str) -> Self:
        pid = os.getpid()
        return cls(process_id, slot, role, group, socket.gethostname(), pid, start_time(pid), database)

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Decode what `encode` made; fields that this version does not know are ignored."""
        try:
            values = json.loads(line)
            values.setdefault("group", values.get("parent", ""))  # as earlier versions called it
            return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})
        except (ValueError, TypeError, AttributeError):
            return cls()


def name_of(pid: int) -> str:
    """A name for a process that no later process with the same pid has."""
    return f"{pid}-{start_time(pid)}"


def is_alive(name: str) -> bool:
    """Whether the process with this `name_of` lives; false also for one of another container, which is not visible here."""
    pid, _, started = name.partition("-")
    return pid.isdecimal() and bool(started) and start_time(int(pid)) == started


def start_time(pid: int) -> str:
    """When a process started; "" if there is no such process.

    In clock ticks since boot where `/proc` has them, since a change of the wall clock does not affect those.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass  # no `/proc`, as on macOS, or no such process
    try:
        return str(int(psutil.Process(pid).create_time()))
    except psutil.Error:
        return ""
