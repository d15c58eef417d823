"""SystemResources: disks and memory as states: over their threshold for two minutes, and over when well below it for five."""

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
"""Points of percent under the threshold, from which on it counts as over."""
HOLD: Final = HoldTimes()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Percent."""

    disk: int
    memory: int


def evaluate(resources: SystemResources, thresholds: Thresholds, states: ConditionTracker) -> list[str]:
    """Observe all of them. Returns a line for each that is over its threshold now.

    Raises:
        OSError, CheckFailed: a disk cannot be asked.
    """
    for key, words, usage, threshold in _measured(resources, thresholds):
        failsafe(states.observe)(
            Condition(key, AlertLevel.WARNING, COMPONENT, f"{words}: {usage.percent}% used (threshold: {threshold}%)"),
            reading(usage, threshold),
            HOLD,
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
