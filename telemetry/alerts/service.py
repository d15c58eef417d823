"""Service: what code calls that has something to tell the operator. All of it goes the way of the logs."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from telemetry import semconv
from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import LEVELS
from telemetry.settings import JOBS_COMPONENT

_log = logging.getLogger("telemetry.alerts.service")
_log.setLevel(logging.INFO)  # whatever `LOG_LEVEL` is: an alert is not a matter of how much one wants to read
_OUTER: Final = 3
"""Frames from the log call to whoever called us: repeats are known by that place."""


@dataclass(frozen=True, slots=True)
class AlertService:
    """`look` observes disks and memory, and returns a line for each that is over its threshold.

    Without `telemetry.start()` it only logs, and says so once.
    """

    look: Callable[[], list[str]] | None = None
    jobs_component: str = JOBS_COMPONENT

    def report(
        self, message: str, level: AlertLevel = AlertLevel.ERROR, component: str = "app", *, follows: str = ""
    ) -> None:
        """It is kept when this returns, and sent from then on. Repeats from the same place fold into one message.

        `follows` names the state, such as `database`, that may be its cause, and beside which it is not told.
        """
        self._report(message, level, component, {semconv.ALERT_INHIBITED_BY: follows} if follows else {})

    async def send_alert(self, message: str, level: AlertLevel = AlertLevel.ERROR, component: str = "app") -> None:
        """`report`, for code that awaits: it does not wait for the sending."""
        self._report(message, AlertLevel(level), component, {})

    async def alert_job_failed(self, job_name: str, error: str) -> None:
        self._report(
            f"Job '{job_name}' failed:\n{error}", AlertLevel.WARNING, self.jobs_component, {semconv.JOB_NAME: job_name}
        )

    async def alert_api_error(self, endpoint: str, error: str) -> None:
        self._report(f"{endpoint} failed:\n{error}", AlertLevel.ERROR, "api", {semconv.HTTP_ROUTE: endpoint})

    async def alert_disk_space_low(self) -> None:
        self._report(self._found("Disk", "Disk space is low."), AlertLevel.WARNING, "resources", {})

    async def alert_memory_high(self) -> None:
        self._report(self._found("Memory", "Memory is nearly used up."), AlertLevel.WARNING, "resources", {})

    async def alert_database_error(self, error: str) -> None:
        self._report(f"The database fails:\n{error}", AlertLevel.CRITICAL, "database", {})

    def check_system_resources(self) -> list[str]:
        """Such as `Disk space: 95% used (threshold: 90%)`; what stays so for two minutes is alerted, once."""
        return [] if self.look is None else self.look()

    def _found(self, begins: str, otherwise: str) -> str:
        found = [line for line in self.check_system_resources() if line.startswith(begins)]
        return "\n".join(found) or otherwise

    def _report(self, message: str, level: AlertLevel, component: str, about: Mapping[str, str]) -> None:
        if self.look is None:
            _warn_once()
        _log.log(
            LEVELS[level],
            "%s",
            message,
            extra={semconv.COMPONENT: component, semconv.ALERT_LEVEL: str(level), **about},
            stacklevel=_OUTER,
        )


_warned = threading.Event()


def _warn_once() -> None:
    if not _warned.is_set():
        _warned.set()
        _log.warning("telemetry.start() was not called: alerts are only logged.")


_active = AlertService()


def get_alert_service() -> AlertService:
    return _active


def activate(service: AlertService) -> None:
    global _active  # noqa: PLW0603  # one for a process, as the providers that it reports through
    _active = service


def deactivate() -> None:
    activate(AlertService())
