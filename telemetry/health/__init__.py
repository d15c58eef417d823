"""Health checks, run concurrently with a deadline each, and the disks and memory of the machine."""

from telemetry.health.database_writes import DatabaseCheck
from telemetry.health.lifecycle import Lifecycle, stopping_on_signals
from telemetry.health.parent_watch import ParentWatch
from telemetry.health.report import CheckResult, Overall, Report
from telemetry.health.runner import Check, HealthChecks
from telemetry.health.system_resources import SystemResources

__all__ = [
    "Check",
    "CheckResult",
    "DatabaseCheck",
    "HealthChecks",
    "Lifecycle",
    "Overall",
    "ParentWatch",
    "Report",
    "SystemResources",
    "stopping_on_signals",
]
