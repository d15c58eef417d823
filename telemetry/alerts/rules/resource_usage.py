"""The rule for disks and memory: fires after two minutes over a threshold, resolved after five minutes well below it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Condition, ConditionTracker, HoldTimes, Reading
from telemetry.environment.runbook import RunbookSection
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
    for each in _measured(resources, thresholds):
        failsafe(conditions.observe)(each.condition, reading(each.usage, each.threshold), HOLD_TIMES)
    return check_system_resources(resources, thresholds.disk, thresholds.memory)


def reading(usage: Usage, threshold: int) -> Reading:
    if usage.is_over(threshold):
        return "on"
    return "off" if usage.percent <= threshold - RESOLVE_BELOW else "between"


def _measured(resources: SystemResources, thresholds: Thresholds) -> Iterator["_Measured"]:
    section = RunbookSection
    for path, disk in resources.disks().items():
        yield _Measured(f"disk:{path}", f"Disk space of {path}", section.DISK_SPACE, disk.space, thresholds.disk)
        if disk.inodes is not None:
            name = f"Disk inodes of {path}"
            yield _Measured(f"inodes:{path}", name, section.DISK_INODES, disk.inodes, thresholds.disk)
    yield _Measured("memory", "Memory", section.MEMORY, resources.memory_usage(), thresholds.memory)


@dataclass(frozen=True, slots=True)
class _Measured:
    """One resource now."""

    key: str
    name: str
    section: RunbookSection
    usage: Usage
    threshold: int

    @property
    def verb(self) -> str:
        return "are" if self.section is RunbookSection.DISK_INODES else "is"

    @property
    def condition(self) -> Condition:
        return Condition(
            self.key,
            AlertLevel.WARNING,
            COMPONENT,
            f"{self.name}: {self.usage.percent}% used (threshold: {self.threshold}%)",
            section=self.section,
            resolved=f"{self.name} {self.verb} at {self.usage.percent}% again",
            lasted=f"More than {self.threshold}% were used for",
        )
