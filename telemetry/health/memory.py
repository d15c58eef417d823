"""Measures the used memory of the container (limit of its cgroup, v2 or v1), or of the machine if there is no limit."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import psutil

from telemetry.health.usage import Usage

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """Where one version of cgroups says what memory a group may use and uses.

    Attributes:
        top: the directory of the top group.
        controller: the name of the line of this hierarchy in `/proc/self/cgroup`; v2's has none.
        limit: the file of the limit. Without one it has the word `max` (v2), or a number over that of any machine (v1).
        current: the file of what is used.
        inactive: the row of the inactive page cache in `memory.stat`, with the groups inside.
        events: the file with a row `oom_kill`: how many processes the kernel has killed for the memory of the group.
    """

    top: str
    controller: str
    limit: str
    current: str
    inactive: str
    events: str


_HIERARCHIES: Final = (
    _Hierarchy("sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file", "memory.events"),
    _Hierarchy(
        "sys/fs/cgroup/memory",
        "memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
        "memory.oom_control",
    ),
)


def memory(root: Path = ROOT) -> Usage:
    """Read the memory usage against the tightest limit of this process, its own or that of an ancestor group."""
    machine = psutil.virtual_memory()
    limited = [
        usage
        for hierarchy in _HIERARCHIES
        for usage in _container_usages(root, hierarchy)
        if 0 < usage.total < machine.total
    ]
    return max(limited, key=lambda usage: usage.share, default=Usage(machine.total - machine.available, machine.total))


@dataclass(frozen=True, slots=True)
class OomKills:
    """How many processes the kernel has killed for the memory of a control group. A new container has a new group."""

    group: str = ""
    count: int = 0

    def since(self, earlier: "OomKills") -> int:
        """How many it has killed since; 0 if that was another group, of which nothing is known any more."""
        return max(0, self.count - earlier.count) if self.group and self.group == earlier.group else 0

    def is_of_another_group(self, earlier: "OomKills") -> bool:
        """Whether both are known, and are not of the same control group: the container was started again."""
        return bool(self.group and earlier.group) and self.group != earlier.group


def oom_kills(root: Path = ROOT) -> OomKills:
    """Read the counter of the control group of this process; empty where the system has none."""
    for hierarchy in _HIERARCHIES:
        for group in _groups(root, hierarchy):
            with suppress(OSError, ValueError):  # as in `_container_usages`
                rows = dict(line.split(maxsplit=1) for line in (group / hierarchy.events).read_text().splitlines())
                if "oom_kill" in rows:
                    return OomKills(f"{group}:{group.stat().st_ino}", int(rows["oom_kill"]))
    return OomKills()


def _container_usages(root: Path, hierarchy: _Hierarchy) -> Iterator[Usage]:
    for group in _groups(root, hierarchy):
        try:
            limit = (group / hierarchy.limit).read_text().strip()
            if limit != "max":
                yield Usage(_working_set(group, hierarchy), int(limit))
        except (OSError, ValueError):
            continue  # the group is not in this namespace, or has no memory controller


def _groups(root: Path, hierarchy: _Hierarchy) -> Iterator[Path]:
    """The control group of this process and its ancestors. In a container the path may be the host's; then only the root exists."""
    top = root / hierarchy.top
    path = top.joinpath(*_own_group_parts(root, hierarchy.controller))
    yield from (group for group in (path, *path.parents) if group.is_relative_to(top))


def _own_group_parts(root: Path, controller: str) -> list[str]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    fields = (line.split(":", 2) for line in lines if line.count(":") > 1)
    path = next((path for _number, names, path in fields if controller in names.split(",")), "/")
    return [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]


def _working_set(group: Path, hierarchy: _Hierarchy) -> int:
    """The working set as the kubelet counts it: without the inactive page cache, which the kernel reclaims first."""
    statistics = dict(line.split(maxsplit=1) for line in (group / "memory.stat").read_text().splitlines())
    used = int((group / hierarchy.current).read_text())
    return max(0, used - int(statistics.get(hierarchy.inactive, 0)))
