"""The usage of the disks that the service writes to, and of memory; for health checks, metrics and alerts."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Final, Self

from sqlalchemy.engine import URL

from telemetry.error_text import CheckFailed
from telemetry.health.filesystem import Filesystem
from telemetry.health.memory import memory
from telemetry.health.usage import Usage
from telemetry.settings import TelemetrySettings
from telemetry.singleflight import SHARE_SECONDS, Clock, SingleFlight

MEASURE_TIMEOUT: Final = 0.5  # seconds


class SystemResources:
    """Measures disks in threads of their own: a hanging mount delays a scrape by `deadline` seconds, and never blocks it."""

    def __init__(
        self,
        paths: Iterable[Path],
        *,
        measure: Callable[[Path], Filesystem] = Filesystem.measure,
        read_memory: Callable[[], Usage] = memory,
        deadline: float = MEASURE_TIMEOUT,
        clock: Clock = time.monotonic,
    ) -> None:
        self._disks = {
            str(path): SingleFlight(f"disk-{path}", partial(measure, path), share_for=SHARE_SECONDS, clock=clock)
            for path in paths
        }
        self._read_memory = read_memory
        self._deadline = deadline

    @classmethod
    def from_settings(cls, settings: TelemetrySettings) -> Self:
        """The directories of data, logs and, for SQLite, of the database."""
        return cls([settings.data_dir, settings.log_dir, *_database_directory(settings.url)])

    def disks(self) -> dict[str, Filesystem]:
        """Measure each filesystem once, under the first of its paths.

        Raises:
            CheckFailed: a filesystem does not respond within the deadline.
            OSError: a filesystem cannot be read.
        """
        found, failed = self._measure()
        if failed:
            raise failed[0]
        return found

    def filesystems(self) -> Mapping[str, float]:
        """Measure the used share of each filesystem, 0 to 1; those that cannot be measured are left out."""
        found, _failed = self._measure()
        return {path: filesystem.space.share for path, filesystem in found.items()}

    def memory_usage(self) -> Usage:
        """Measure the memory, in bytes."""
        return self._read_memory()

    def memory(self) -> float:
        """Measure the used share of the memory, 0 to 1."""
        return self._read_memory().share

    def _measure(self) -> tuple[dict[str, Filesystem], list[BaseException]]:
        futures = {path: singleflight.call().future for path, singleflight in self._disks.items()}
        wait(futures.values(), self._deadline)
        by_device: dict[int, tuple[str, Filesystem]] = {}
        failed: list[BaseException] = []
        for path, future in futures.items():
            if not future.done():
                failed.append(CheckFailed(f"no response within {self._deadline * 1000:.0f} ms"))
            elif error := future.exception():
                failed.append(error)
            else:
                by_device.setdefault(future.result().device, (path, future.result()))
        return dict(by_device.values()), failed


def _database_directory(url: URL) -> list[Path]:
    is_file = url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:"))
    return [Path(str(url.database)).parent] if is_file else []


def check_system_resources(resources: SystemResources, disk_threshold: int, memory_threshold: int) -> list[str]:
    """Measure disk space, inodes and memory against thresholds in percent; of several disks, the fullest.

    Returns:
        A line for each of them that is over its threshold, such as `Disk space: 95% used (threshold: 90%)`.
    """
    disks = resources.disks().values()
    resources_and_thresholds = (
        ("Disk space", [disk.space for disk in disks], disk_threshold),
        ("Disk inodes", [disk.inodes for disk in disks if disk.inodes], disk_threshold),
        ("Memory", [resources.memory_usage()], memory_threshold),
    )
    worst = (
        (name, max(usages, key=lambda usage: usage.share, default=_NO_USAGE), threshold)
        for name, usages, threshold in resources_and_thresholds
    )
    return [
        f"{name}: {usage.percent}% used (threshold: {threshold}%)"
        for name, usage, threshold in worst
        if usage.is_over(threshold)
    ]


_NO_USAGE: Final = Usage(0, 0)
