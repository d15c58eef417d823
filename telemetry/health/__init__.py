"""Health: named checks, run at once, each with a deadline, and what the machine has left."""

from telemetry.health.lifecycle import Lifecycle, stopping_on_signals
from telemetry.health.report import CheckResult, Overall, Report
from telemetry.health.runner import Check, HealthChecks
from telemetry.health.system_resources import SystemResources

__all__ = [
    "Check",
    "CheckResult",
    "HealthChecks",
    "Lifecycle",
    "Overall",
    "Report",
    "SystemResources",
    "stopping_on_signals",
]
