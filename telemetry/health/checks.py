"""Ready-made health checks: a timed ping, disk space, memory and uptime."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

from telemetry.durations import format_duration
from telemetry.health.report import CheckResult, Status
from telemetry.health.runner import Check
from telemetry.health.system_resources import SystemResources

_GB: Final = 1024**3
_MB: Final = 1024**2


def timed(ping: Callable[[], object]) -> Check:
    """A check that calls `ping`, fails if it raises, and reports its latency."""

    def check() -> CheckResult:
        started = time.perf_counter()
        ping()
        return CheckResult(details={"latency_ms": round((time.perf_counter() - started) * 1000, 2)})

    return check


def disk(resources: SystemResources, threshold: int) -> Check:
    """A check of the fullest filesystem, by space or inodes; a warning above the threshold, in percent."""

    def check() -> CheckResult:
        worst = max(resources.disks().values(), key=lambda disk: disk.fullest)
        return CheckResult(
            _warning(over=worst.is_over(threshold)),
            {
                "free_gb": round(worst.space.free / _GB, 1),
                "used_percent": worst.space.percent,
                "inodes_used_percent": worst.inodes.percent if worst.inodes else None,
            },
        )

    return check


def memory(resources: SystemResources, threshold: int) -> Check:
    """A check of the used memory; a warning above the threshold, in percent."""

    def check() -> CheckResult:
        usage = resources.memory_usage()
        return CheckResult(
            _warning(over=usage.is_over(threshold)),
            {"available_mb": round(usage.free / _MB, 1), "used_percent": usage.percent},
        )

    return check


def uptime(read: Callable[[], float] | None = None) -> Check:
    """A check that reports the uptime of the machine; `read` returns it in seconds."""
    read = read or system_uptime

    def check() -> CheckResult:
        seconds = read()
        return CheckResult(details={"uptime_seconds": round(seconds, 1), "uptime_human": format_duration(seconds)})

    return check


def system_uptime(file: Path = Path("/proc/uptime")) -> float:
    """The uptime in seconds, from this file; if it cannot be read, from the boot time."""
    try:
        return float(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return max(0.0, time.time() - psutil.boot_time())


def _warning(*, over: bool) -> Status:
    return "warning" if over else "ok"
