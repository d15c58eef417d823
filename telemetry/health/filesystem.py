"""Measures the space and the inodes of the filesystem of a path."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from telemetry.health.usage import Usage


@dataclass(frozen=True, slots=True)
class Filesystem:
    """The usage of a filesystem. `inodes` is None if it has no such limit (btrfs, some network filesystems)."""

    device: int
    space: Usage
    inodes: Usage | None

    @classmethod
    def measure(cls, path: Path) -> Self:
        """Measure the filesystem of a path, or of its nearest existing ancestor. Space reserved for root does not count as free.

        Blocks as long as a hanging mount does.

        Raises:
            OSError: the filesystem cannot be read.
        """
        existing = next(ancestor for ancestor in (path, *path.absolute().parents) if ancestor.exists())
        stats = os.statvfs(existing)
        return cls(
            device=existing.stat().st_dev,
            space=_usage(stats.f_blocks, stats.f_bfree, stats.f_bavail, stats.f_frsize),
            inodes=_usage(stats.f_files, stats.f_ffree, stats.f_favail) if stats.f_files else None,
        )

    @property
    def fullest(self) -> int:
        """The used percentage of space or inodes, whichever is higher."""
        return max(self.space.percent, self.inodes.percent if self.inodes else 0)

    def is_over(self, threshold: int) -> bool:
        return self.space.is_over(threshold) or (self.inodes is not None and self.inodes.is_over(threshold))


def _usage(total: int, free: int, available: int, size: int = 1) -> Usage:
    used = total - free
    return Usage(used * size, (used + available) * size)
