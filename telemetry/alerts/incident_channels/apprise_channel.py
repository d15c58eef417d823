"""Everything that Apprise can send to, by the optional package `apprise`. It only sends messages: see `AppriseChannel`.

The rules are those of Apprise's page "Development API": `notify` says whether a service accepted the message, and nothing else.
"""

import queue
import time
from collections.abc import Sequence
from typing import Any, Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.http_call import SEND_SECONDS
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import text, title
from telemetry.environment.apprise_package import services_of
from telemetry.threads.daemon import start_daemon

NAME: Final = "apprise"
LIMITS: Final = "sends a message when an alert opens and another one when it ends: no update, no key, no Retry-After"
_MAX_TITLE: Final = 200
_MAX_TEXT: Final = 3000
_TYPES: Final = {
    AlertLevel.INFO: "info",
    AlertLevel.WARNING: "warning",
    AlertLevel.ERROR: "failure",
    AlertLevel.CRITICAL: "failure",
}


class AppriseChannel:
    """Sends to each URL, one after the other. It knows no key, so it can neither update a message nor resolve one: the end of an
    incident is another message. Why a service refuses and for how long, Apprise does not say, so each failure is doubtful.

    A retry leaves out the URLs that have accepted the message, as long as the process lives.
    """

    name: Final = NAME
    rate_limit: Final = ChannelRateLimit(2.0, 20)
    steps: Final = frozenset({IncidentStep.OPEN, IncidentStep.RESOLVE})

    def __init__(self, urls: Sequence[str], seconds: float = SEND_SECONDS) -> None:
        self._services = services_of(list(urls))
        self._seconds = seconds
        self._last: tuple[str, IncidentStep, float] | None = None
        self._accepted: set[int] = set()

    def close(self) -> None:
        """Each message has connections of its own."""

    def probe(self) -> None:
        """Apprise has no call that only asks."""

    def deliver(self, event: IncidentEvent) -> str:
        self._remember(event)
        deadline = time.monotonic() + self._seconds
        for number, service in enumerate(self._services):
            if number not in self._accepted:
                self._send(service, number, event, deadline)
        self._last = None
        return ""

    def _remember(self, event: IncidentEvent) -> None:
        """Forget who accepted the message before, unless this is a retry of it."""
        this = (event.key, event.step, event.incident.first_at)
        if this != self._last:
            self._last, self._accepted = this, set()

    def _send(self, service: Any, number: int, event: IncidentEvent, deadline: float) -> None:
        which = f"{NAME}: service {number + 1} of {len(self._services)}"
        if service is None:
            raise ChannelError(f"{which} is not known to Apprise", permanent=True)
        accepted = _within(deadline, lambda: _notify(service, event))
        if accepted is None:
            raise ChannelError(f"{which} did not answer in time", outcome_unknown=True)
        if not accepted:
            raise ChannelError(f"{which} did not accept the message", outcome_unknown=True)
        self._accepted.add(number)


def _notify(service: Any, event: IncidentEvent) -> bool:
    is_resolved = event.step == IncidentStep.RESOLVE
    return bool(
        service.notify(
            body=text(event, _MAX_TEXT),
            title=f"{'RESOLVED' if is_resolved else event.incident.level}: {title(event, _MAX_TITLE)}",
            notify_type="success" if is_resolved else _TYPES[event.incident.level],
        )
    )


def _within(deadline: float, notify: Any) -> bool | None:
    """Call in a thread, since the services have timeouts for each read only. None if there is no result by the deadline."""
    results: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put(notify())
        except Exception:  # noqa: BLE001  # a service of Apprise may raise anything
            results.put(False)

    if start_daemon(run, "apprise") is None:
        return False
    try:
        return results.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None
