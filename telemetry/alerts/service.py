"""The public API of alerts: each call logs a record, which the log pipeline turns into an alert."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from telemetry import semconv
from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import LEVELS
from telemetry.environment.runbook import RunbookSection
from telemetry.logs.background import handler_guard
from telemetry.settings import JOBS_COMPONENT

_log = logging.getLogger("telemetry.alerts.service")
_log.setLevel(logging.INFO)  # `LOG_LEVEL` does not apply to alerts
_STACK_LEVEL: Final = 3
"""Frames from the log call to the caller of this API: repeats are recognised by the caller's location."""


@dataclass(frozen=True, slots=True)
class AlertService:
    """`evaluate_resources` observes disks and memory and returns a line for each that is over its threshold.

    Without `telemetry.start()` it is None: alerts are only logged, and one warning says so.
    """

    evaluate_resources: Callable[[], list[str]] | None = None
    jobs_component: str = JOBS_COMPONENT

    def report(
        self,
        message: str,
        level: AlertLevel = AlertLevel.ERROR,
        component: str = "app",
        *,
        inhibited_by: str = "",
        section: str = "",
    ) -> None:
        """Report an alert. It is in the outbox when this returns; repeats from the same location are one message.

        Args:
            message: the text for the operator.
            level: its severity.
            component: the part of the program it is about; silences name it.
            inhibited_by: a condition, such as `database`, that may be the cause; while it fires, this is not sent.
            section: the anchor of the section of `RUNBOOK_URL` that says what to do.
        """
        attributes = {semconv.ALERT_INHIBITED_BY: inhibited_by, semconv.ALERT_SECTION: str(section)}
        self._report(message, level, component, {name: value for name, value in attributes.items() if value})

    async def send_alert(self, message: str, level: AlertLevel = AlertLevel.ERROR, component: str = "app") -> None:
        """Report an alert, like `report`, from asynchronous code. It does not wait for the message to be sent."""
        self._report(message, AlertLevel(level), component, {})

    async def alert_job_failed(self, job_name: str, error: str) -> None:
        attributes = {semconv.JOB_NAME: job_name, **_section(RunbookSection.JOB_FAILED)}
        self._report(f"Job '{job_name}' failed:\n{error}", AlertLevel.WARNING, self.jobs_component, attributes)

    async def alert_api_error(self, endpoint: str, error: str) -> None:
        attributes = {semconv.HTTP_ROUTE: endpoint, **_section(RunbookSection.REQUEST_CRASHED)}
        self._report(f"{endpoint} failed:\n{error}", AlertLevel.ERROR, "api", attributes)

    async def alert_disk_space_low(self) -> None:
        message = self._resource_message("Disk", "Disk space is low.")
        self._report(message, AlertLevel.WARNING, "resources", _section(RunbookSection.DISK_SPACE))

    async def alert_memory_high(self) -> None:
        message = self._resource_message("Memory", "Memory is nearly used up.")
        self._report(message, AlertLevel.WARNING, "resources", _section(RunbookSection.MEMORY))

    async def alert_database_error(self, error: str) -> None:
        section = _section(RunbookSection.DATABASE_DOWN)
        self._report(f"The database fails:\n{error}", AlertLevel.CRITICAL, "database", section)

    def check_system_resources(self) -> list[str]:
        """Lines such as `Disk space: 95% used (threshold: 90%)`; what stays so for two minutes becomes an alert."""
        return [] if self.evaluate_resources is None else self.evaluate_resources()

    def _resource_message(self, prefix: str, default: str) -> str:
        lines = [line for line in self.check_system_resources() if line.startswith(prefix)]
        return "\n".join(lines) or default

    def _report(self, message: str, level: AlertLevel, component: str, attributes: Mapping[str, str]) -> None:
        handler_guard.restore()
        if self.evaluate_resources is None:
            _warn_once()
        _log.log(
            LEVELS[level],
            "%s",
            message,
            extra={semconv.COMPONENT: component, semconv.ALERT_LEVEL: str(level), **attributes},
            stacklevel=_STACK_LEVEL,
        )


def _section(section: RunbookSection) -> dict[str, str]:
    return {semconv.ALERT_SECTION: str(section)}


_warned: set[str] = set()


def _warn_once() -> None:
    if not _warned:
        _warned.add(__name__)
        _log.warning("telemetry.start() was not called, or its alerts are off: alerts are only logged.")


_active = AlertService()


def get_alert_service() -> AlertService:
    return _active


def activate(service: AlertService) -> None:
    global _active  # noqa: PLW0603  # one for a process, like the OpenTelemetry providers
    _active = service


def deactivate() -> None:
    activate(AlertService())
