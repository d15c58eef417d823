"""Memory: what is used of the container's limit (cgroup v2) where there is one, else of the machine's memory."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

from telemetry.health.usage import Usage

ROOT = Path("/")


def memory(root: Path = ROOT) -> Usage:
    """Of all limits that hold for this process, the one that is nearest: an ancestor's limit holds as well as its own."""
    machine = psutil.virtual_memory()
    limited = [usage for usage in _container_usages(root) if usage.total < machine.total]
    return max(limited, key=lambda usage: usage.share, default=Usage(machine.total - machine.available, machine.total))


def _container_usages(root: Path) -> Iterator[Usage]:
    for group in _groups(root):
        try:
            limit = (group / "memory.max").read_text().strip()
            if limit != "max":
                yield Usage(_working_set(group), int(limit))
        except (OSError, ValueError):
            continue  # no such group in this namespace, or no memory controller in it


def _groups(root: Path) -> Iterator[Path]:
    """This process's group and its ancestors. In a container its path may be the host's, of which only the top is seen."""
    top = root / "sys/fs/cgroup"
    path = top.joinpath(*_own_group_parts(root))
    yield from (group for group in (path, *path.parents) if group.is_relative_to(top))


def _own_group_parts(root: Path) -> list[str]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    return [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]


def _working_set(group: Path) -> int:
    """As the kubelet counts it: without the page cache that the kernel gives back first."""
    statistics = dict(line.split(maxsplit=1) for line in (group / "memory.stat").read_text().splitlines())
    return max(0, int((group / "memory.current").read_text()) - int(statistics.get("inactive_file", 0)))
