"""The checks behind the probes: those of the telemetry, and the application's own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from telemetry.build import Telemetry
from telemetry.health import checks as ready_made
from telemetry.health.database_writes import DatabaseCheck
from telemetry.health.report import Report
from telemetry.health.runner import Check, HealthChecks


class Probes:
    """Makes the checks for the running telemetry, and anew after it was shut down and started again."""

    def __init__(self, own: Mapping[str, Check]) -> None:
        self._own = own
        self._telemetry: Telemetry | None = None
        self._checks = HealthChecks({})

    async def readiness(self, telemetry: Telemetry) -> Report:
        return await self._for(telemetry).run([*self._needed(telemetry), "alerts"])

    async def health(self, telemetry: Telemetry) -> Report:
        return await self._for(telemetry).run([*self._needed(telemetry), "disk", "memory", "uptime"])

    def body(self, report: Report) -> dict[str, Any]:
        return report.body(datetime.now(UTC))

    def _for(self, telemetry: Telemetry) -> HealthChecks:
        if self._telemetry is not telemetry:
            settings, resources = telemetry.settings, telemetry.resources
            checks: dict[str, Check] = {
                "database": ready_made.timed(DatabaseCheck(telemetry.engine)),
                "disk": ready_made.disk(resources, settings.alert_threshold_disk),
                "memory": ready_made.memory(resources, settings.alert_threshold_memory),
                "uptime": ready_made.uptime(),
                "alerts": telemetry.alerts.check,
            }
            self._telemetry, self._checks = telemetry, HealthChecks({**checks, **self._own})
        return self._checks

    def _needed(self, telemetry: Telemetry) -> list[str]:
        """The application's own checks, and the database's if the telemetry writes to it or was given it."""
        own = [name for name in self._own if name != "database"]
        return ["database", *own] if telemetry.uses_database or "database" in self._own else own
