"""Alertmanager by `POST /api/v2/alerts`, so that an existing routing tree decides who is notified.

The rules are those of Prometheus' page "Sending alerts" and of Alertmanager's OpenAPI description of its API v2: the labels of an alert are
its identity, `alertname` is required, no label may be empty, and an alert ends at `endsAt`. So it is sent ahead of time, and each update moves it.
"""

import json
import time
from collections.abc import Callable
from typing import Any, Final

from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import component, link, rfc3339, safe_key, text, title
from telemetry.alerts.incident_channels.service_response import ResponseRules
from telemetry.http_client.exchange import BoundedResponse

HOLD_SECONDS: Final = 25 * 3600.0
"""An alert that is not updated ends after this time: longer than the day after which every open incident is updated."""
_MAX_SUMMARY: Final = 300
_MAX_DESCRIPTION: Final = 4000
_NAME: Final = "ServiceAlert"
_RULES: Final = ResponseRules("alertmanager", 30.0)


class Alertmanager:
    """A remote id has the labels that may change, as they were at first: level and instance.

    An alert whose level has changed is another one to Alertmanager: the same request ends the first one.
    """

    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(0.2, 120)
    steps: Final = frozenset({IncidentStep.OPEN, IncidentStep.UPDATE, IncidentStep.RESOLVE})

    def __init__(self, url: str, service: str, instance: str, clock: Callable[[], float] = time.time) -> None:
        self.url = url
        self._service = service
        self._instance = instance
        self._clock = clock

    @property
    def probe(self) -> HttpCall:
        return HttpCall("GET", f"{self.url.rstrip('/')}/-/ready")

    def render(self, event: IncidentEvent) -> HttpCall:
        now, labels, before = self._clock(), self._labels(event), self._first_labels(event)
        is_resolved = event.step == IncidentStep.RESOLVE
        alerts = [self._alert(event, before if is_resolved else labels, now if is_resolved else now + HOLD_SECONDS)]
        if before != labels and not is_resolved:
            alerts.append(self._alert(event, before, now))
        url = f"{self.url.rstrip('/')}/api/v2/alerts"
        return HttpCall("POST", url, {"content-type": "application/json"}, {"content": json.dumps(alerts)})

    def _alert(self, event: IncidentEvent, labels: dict[str, str], ends_at: float) -> dict[str, Any]:
        starts_at = min(event.incident.first_at, ends_at)
        annotations = {
            "summary": title(event, _MAX_SUMMARY),
            "description": text(event, _MAX_DESCRIPTION),
            "runbook_url": event.runbook_url,
        }
        alert: dict[str, Any] = {
            "labels": labels,
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": rfc3339(starts_at),
            "endsAt": rfc3339(ends_at),
        }
        return {**alert, "generatorURL": url} if (url := link(event)) else alert

    def _labels(self, event: IncidentEvent) -> dict[str, str]:
        level = event.incident.level.lower()
        return {
            "alertname": _NAME,
            "component": component(event),
            "fingerprint": safe_key(event.key),
            "instance": self._instance,
            "level": level,
            "service": self._service,
            "severity": level,
        }

    def _first_labels(self, event: IncidentEvent) -> dict[str, str]:
        level, _, instance = event.remote_id.partition(":")
        labels = self._labels(event)
        return {**labels, "level": level, "severity": level, "instance": instance} if level and instance else labels

    def read(self, event: IncidentEvent, response: BoundedResponse) -> str:
        _RULES.require_accepted(response)
        return f"{event.incident.level.lower()}:{self._instance}"

    def read_probe(self, response: BoundedResponse) -> str:
        _RULES.require_accepted(response)
        return "Alertmanager is ready"
