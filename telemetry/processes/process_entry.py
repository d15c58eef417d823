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
        role: `worker` for one that another process spawned to share its work, `child` for a forked one, else `main`.
        parent: the `name_of` the process that spawned it; empty if it is no worker.
        started_at: tells the process from a later one with the same pid: see `start_time`.
        database: which database it writes to, without credentials.
    """

    id: str = ""
    slot: int = -1
    role: str = ""
    parent: str = ""
    host: str = ""
    pid: int = 0
    started_at: str = ""
    database: str = ""

    @classmethod
    def of_this_process(cls, process_id: str, slot: int, role: str, parent: str, database: str) -> Self:
        pid = os.getpid()
        return cls(process_id, slot, role, parent, socket.gethostname(), pid, start_time(pid), database)

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Decode what `encode` made; fields that this version does not know are ignored."""
        try:
            values = json.loads(line)
            return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})
        except (ValueError, TypeError):
            return cls()


def name_of(pid: int) -> str:
    """A name for a process that no later process with the same pid has."""
    return f"{pid}-{start_time(pid)}"


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
