"""Filesystem: the space and the inodes of the filesystem that a path is on."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from telemetry.health.usage import Usage


@dataclass(frozen=True, slots=True)
class Filesystem:
    """`inodes` is None where there is no such limit (btrfs, some network filesystems)."""

    device: int
    space: Usage
    inodes: Usage | None

    @classmethod
    def measure(cls, path: Path) -> Self:
        """Of a path, or of its nearest ancestor while it does not exist yet. What is kept for root is not free.

        Raises:
            OSError: the filesystem cannot be asked. A mount that hangs hangs this as well.
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
        """Percent: of space or inodes, whichever is scarcer."""
        return max(self.space.percent, self.inodes.percent if self.inodes else 0)

    def is_over(self, threshold: int) -> bool:
        return self.space.is_over(threshold) or (self.inodes is not None and self.inodes.is_over(threshold))


def _usage(total: int, free: int, available: int, size: int = 1) -> Usage:
    used = total - free
    return Usage(used * size, (used + available) * size)
