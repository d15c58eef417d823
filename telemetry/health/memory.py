"""Measures the used memory of the container (limit of cgroup v2), or of the machine if there is no limit."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

from telemetry.health.usage import Usage

ROOT = Path("/")


def memory(root: Path = ROOT) -> Usage:
    """Read the memory usage against the tightest limit of this process, its own or that of an ancestor group."""
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
            continue  # the group is not in this namespace, or has no memory controller


def _groups(root: Path) -> Iterator[Path]:
    """The control group of this process and its ancestors. In a container the path may be the host's; then only the root exists."""
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
    """The working set as the kubelet counts it: without the inactive page cache, which the kernel reclaims first."""
    statistics = dict(line.split(maxsplit=1) for line in (group / "memory.stat").read_text().splitlines())
    return max(0, int((group / "memory.current").read_text()) - int(statistics.get("inactive_file", 0)))
