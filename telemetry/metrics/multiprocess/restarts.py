"""Worker restarts: counts the workers that ended while others go on, and reports workers that are killed repeatedly."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from telemetry import semconv
from telemetry.environment.runbook import RunbookSection
from telemetry.failsafe import failsafe

KILLED_WINDOW: Final = 300.0
"""Seconds."""
MAX_KILLED: Final = 3
"""Killed workers within the window that are an alert."""
_SUFFIX: Final = ".killed"
_log = logging.getLogger(__name__)


class WorkerRestarts:
    """The workers of a service share the record of killed ones: an empty file for each of the newest, named by its time.

    An empty file can mostly be created on a full disk. The clock is monotonic, and the same for all processes of a machine.
    """

    def __init__(
        self, directory: Path, count: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the record.

        Args:
            directory: the directory that the workers share.
            count: counts one ended worker, by the reason.
            clock: seconds.
        """
        self._directory = directory
        self._count = count
        self._clock = clock

    def record(self, ended: Mapping[str, str]) -> None:
        """Count workers that ended, and log an error when too many were killed lately.

        Args:
            ended: the reason by worker id. Each worker is passed once, to one of its siblings.
        """
        for worker, reason in ended.items():
            self._count(reason)
            if reason == semconv.WORKER_KILLED and self._are_too_many(worker):
                _log.error(
                    "Workers of this service are killed repeatedly: %d or more within %d minutes. Check the memory limit, "
                    "the kernel's log, and whether workers hang.",
                    MAX_KILLED,
                    KILLED_WINDOW // 60,
                    extra={semconv.COMPONENT: "workers", semconv.ALERT_SECTION: str(RunbookSection.WORKERS_KILLED)},
                )

    @failsafe
    def _are_too_many(self, worker: str) -> bool:
        """Note that a worker was killed. Returns whether this was one too many within the window."""
        now = int(self._clock() * 1000)
        (self._directory / f"{now}-{worker}{_SUFFIX}").touch(0o600)
        killed = sorted(((_time_of(path), path) for path in self._directory.glob(f"*{_SUFFIX}")), reverse=True)
        recent = [path for at, path in killed if now - at <= KILLED_WINDOW * 1000]
        for path in {path for _, path in killed} - set(recent[:MAX_KILLED]):
            path.unlink(missing_ok=True)
        return len(recent) >= MAX_KILLED


def _time_of(path: Path) -> int:
    """Milliseconds."""
    return int(path.name.partition("-")[0])
