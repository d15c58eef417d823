"""PagerDuty by its Events API v2: trigger, acknowledge and resolve under one `dedup_key`.

The rules are those of the pages "Send an Alert Event" and "Events API v2 Overview" of PagerDuty's developer documentation: `summary` of at
most 1024 characters, `source` and `severity` are required to trigger, `dedup_key` has at most 255 characters, an event at most 512 KB.
A 202 is accepted, a 400 invalid, a 429 too many events of one integration; a trigger under a key that is open adds to its alert.
"""

from typing import Any, Final

from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import component, details, link, rfc3339, safe_key, text, title
from telemetry.alerts.incident_channels.service_response import ResponseRules, reason_of
from telemetry.http_client.exchange import BoundedResponse

_MAX_SUMMARY: Final = 1024
_MAX_TEXT: Final = 8000
_INVALID: Final = 400
_ACTIONS: Final = {
    IncidentStep.OPEN: "trigger",
    IncidentStep.UPDATE: "trigger",
    IncidentStep.ACKNOWLEDGE: "acknowledge",
    IncidentStep.RESOLVE: "resolve",
}
_SEVERITIES: Final = {
    AlertLevel.INFO: "info",
    AlertLevel.WARNING: "warning",
    AlertLevel.ERROR: "error",
    AlertLevel.CRITICAL: "critical",
}
_RULES: Final = ResponseRules("pagerduty", 60.0, ("retry-after", "ratelimit-reset"))


class PagerDuty:
    """`source` is the name of this service and machine."""

    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(0.2, 100)
    steps: Final = frozenset(IncidentStep)
    probe: Final = None

    def __init__(self, routing_key: SecretStr, source: str, url: str = "https://events.pagerduty.com") -> None:
        self.url = url
        self._key = routing_key
        self._source = source

    def render(self, event: IncidentEvent) -> HttpCall:
        body: dict[str, Any] = {
            "routing_key": self._key.get_secret_value(),
            "event_action": _ACTIONS[event.step],
            "dedup_key": safe_key(event.key),
        }
        if body["event_action"] == "trigger":
            body |= {"payload": self._payload(event), "client": "sovani"}
            if url := link(event):
                body["links"] = [{"href": url, "text": "Trace" if url == event.trace_url else "Runbook"}]
        return HttpCall("POST", f"{self.url.rstrip('/')}/v2/enqueue", content={"json": body})

    def _payload(self, event: IncidentEvent) -> dict[str, Any]:
        return {
            "summary": title(event, _MAX_SUMMARY),
            "source": self._source,
            "severity": _SEVERITIES[event.incident.level],
            "timestamp": rfc3339(event.incident.first_at),
            "component": component(event),
            "custom_details": {**details(event), "message": text(event, _MAX_TEXT)},
        }

    def read(self, _event: IncidentEvent, response: BoundedResponse) -> str:
        if response.status == _INVALID and "routing" in (reason := reason_of(response)).lower():
            raise _RULES.refuses(f"PAGERDUTY_ROUTING_KEY: {reason}")
        body = _RULES.accepted_object(response)
        return str(body.get("dedup_key") or "")

    def read_probe(self, _response: BoundedResponse) -> str:
        return ""
