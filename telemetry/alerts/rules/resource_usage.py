"""The rule for disks and memory: fires after two minutes over a threshold, resolved after five minutes well below it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Condition, ConditionTracker, HoldTimes, Reading
from telemetry.failsafe import failsafe
from telemetry.health.system_resources import SystemResources, check_system_resources
from telemetry.health.usage import Usage

COMPONENT: Final = "resources"
RESOLVE_BELOW: Final = 5
"""Percentage points below the threshold at which a condition counts as absent."""
HOLD_TIMES: Final = HoldTimes()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Percent."""

    disk: int
    memory: int


def evaluate(resources: SystemResources, thresholds: Thresholds, conditions: ConditionTracker) -> list[str]:
    """Observe all disks and the memory. Returns a line for each that is over its threshold now.

    Raises:
        OSError, CheckFailed: a disk cannot be measured.
    """
    for key, name, usage, threshold in _measured(resources, thresholds):
        failsafe(conditions.observe)(
            Condition(key, AlertLevel.WARNING, COMPONENT, f"{name}: {usage.percent}% used (threshold: {threshold}%)"),
            reading(usage, threshold),
            HOLD_TIMES,
        )
    return check_system_resources(resources, thresholds.disk, thresholds.memory)


def reading(usage: Usage, threshold: int) -> Reading:
    if usage.is_over(threshold):
        return "on"
    return "off" if usage.percent <= threshold - RESOLVE_BELOW else "between"


def _measured(resources: SystemResources, thresholds: Thresholds) -> Iterator[tuple[str, str, Usage, int]]:
    for path, disk in resources.disks().items():
        yield f"disk:{path}", f"Disk space of {path}", disk.space, thresholds.disk
        if disk.inodes is not None:
            yield f"inodes:{path}", f"Disk inodes of {path}", disk.inodes, thresholds.disk
    yield "memory", "Memory", resources.memory_usage(), thresholds.memory
