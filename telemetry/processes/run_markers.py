"""Run markers: a file for each process that serves. An orderly stop removes it; one that is left tells of a process that was killed."""

import json
import os
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from telemetry import private_files
from telemetry.processes.process_group import boot_id, is_keeper_alive
from telemetry.processes.registry import DIRECTORY as REGISTRY

MAX_MARKER_BYTES: Final = 2048
KEEP_SECONDS: Final = 30 * 86_400.0
"""How long the marker of another machine is kept for that machine, which may share the directory."""
_DIRECTORY: Final = "running"
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class RunMarker:
    """What a process has said of itself, a few seconds ago at the most while it runs.

    Attributes:
        id: of the process, as in the registry.
        group: the name of its group; empty for one that serves alone.
        keeper: names the parent that starts the processes of the group; empty if there is none.
        boot: the start of the machine: moments of `time.monotonic` of one boot can be compared, whatever was done to the clock.
        started, seen: such moments.
        started_at, seen_at: Unix times.
        is_orphaned: whether the process has stopped because its parent was killed.
        memory_used, memory_total: bytes, of the container or the machine.
        oom_group, oom_kills: see `OomKills`.
    """

    id: str = ""
    group: str = ""
    keeper: str = ""
    host: str = ""
    boot: str = ""
    pid: int = 0
    parent: int = 0
    started: float = 0.0
    seen: float = 0.0
    started_at: float = 0.0
    seen_at: float = 0.0
    is_orphaned: bool = False
    memory_used: int = 0
    memory_total: int = 0
    oom_group: str = ""
    oom_kills: int = 0

    @property
    def service(self) -> str:
        """The same for all processes of a service."""
        return self.group or self.keeper or self.id

    @property
    def is_of_this_machine(self) -> bool:
        """A container has a name of its own, and its machine's boot; a machine that was restarted has its name."""
        return self.boot == boot_id() or self.host == socket.gethostname()

    def encode(self) -> bytes:
        """All markers have the same length: one is replaced by another without space on the disk."""
        return json.dumps(asdict(self)).encode().ljust(MAX_MARKER_BYTES - 1) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Decode what `encode` made; None for anything else. Fields that this version does not know are ignored."""
        try:
            values = json.loads(data)
            defaults = asdict(cls())
            return cls(**{name: type(value)(values[name]) for name, value in defaults.items() if name in values})
        except (ValueError, TypeError, AttributeError):
            return None


class RunMarkers:
    """The markers of a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.directory = data_dir / REGISTRY / _DIRECTORY

    def write(self, marker: RunMarker) -> None:
        """Write a marker over the earlier one of its process.

        Raises:
            OSError: the directory cannot be used, or its disk has no room for a new file.
        """
        path = self._path(marker.id)
        private_files.make_directory(self.directory)
        private_files.make_file(path)
        with path.open("r+b", buffering=0) as file:
            file.write(marker.encode())

    def check_write(self) -> None:
        """Create a file in the directory, and remove it.

        Raises:
            OSError: no process can leave its marker there.
        """
        probe = self.directory / f".check-{uuid.uuid4().hex}"
        private_files.make_directory(self.directory)
        try:
            private_files.make_file(probe)
        finally:
            probe.unlink(missing_ok=True)

    def describe_failure(self, error: OSError) -> str:
        """A sentence for the operator about a directory that takes no markers."""
        problem = f"{self.directory} cannot be written ({error.strerror})."
        if self.directory.is_dir():
            return f"{problem} Give user {os.geteuid()} write permission."
        return f"{problem} Remove what is in its place: the service makes the directory itself."

    def remove(self, ids: Iterable[str]) -> None:
        for each in ids:
            with suppress(OSError):  # a read-only disk: what is left is removed by a later process
                self._path(each).unlink(missing_ok=True)

    def read(self) -> list[RunMarker]:
        """All markers that can be read."""
        found = (self._read(path) for path in sorted(self.directory.glob(f"[!.]*{_SUFFIX}")))
        return [marker for marker in found if marker is not None]

    def _path(self, process_id: str) -> Path:
        return self.directory / f"{process_id}{_SUFFIX}"

    def _read(self, path: Path) -> RunMarker | None:
        """None for the marker of another user, and for an empty one: the disk was full, and nothing is known of its process."""
        with suppress(OSError), path.open("rb") as file:
            marker = RunMarker.decode(file.read(MAX_MARKER_BYTES))
            return marker if marker is not None and marker.id == path.name.removesuffix(_SUFFIX) else None
        return None


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Markers of dead processes.

    Attributes:
        killed: those of services that ended without an orderly stop, by service.
        settled: of processes whose service went on, and very old ones. They tell nothing more.
    """

    killed: Mapping[str, list[RunMarker]]
    settled: list[RunMarker]


def examine(markers: Iterable[RunMarker], live_ids: Collection[str]) -> Leftovers:
    """Tell services that were killed from those that have replaced a killed process.

    Args:
        markers: all of a data directory.
        live_ids: the ids of the processes that live.
    """
    live: dict[str, list[RunMarker]] = defaultdict(list)
    dead: dict[str, list[RunMarker]] = defaultdict(list)
    settled: list[RunMarker] = []
    for each in markers:
        if each.id in live_ids:
            live[each.service].append(each)
        elif each.is_of_this_machine:
            dead[each.service].append(each)
        elif abs(time.time() - each.seen_at) > KEEP_SECONDS:
            settled.append(each)
    went_on = {service for service, members in dead.items() if _went_on(members, live[service])}
    settled += [each for service in went_on for each in dead.pop(service)]
    return Leftovers(dead, settled)


def _went_on(dead: list[RunMarker], live: list[RunMarker]) -> bool:
    """Whether the parent that starts new workers lives, or another worker that served with the dead ones."""
    if any(each.keeper and is_keeper_alive(each.keeper) for each in dead):
        return True
    return any(one.boot == other.boot and one.started <= other.seen for one in live for other in dead)
