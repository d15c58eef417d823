"""Jira Service Management by its integration events API: create, acknowledge and close under one alias.

The rules are those of Atlassian's pages "Integration events" (Jira Service Management ops REST API), "Alert fields" and "Rate limiting":
`Authorization: GenieKey …`, `message` is required and has at most 130 characters, `alias` 512, `description` 15,000, `entity` 512,
`source` 100, `note` 25,000, `details` 8,000 in all, a priority is P1 to P5. A 202 is taken and processed later, a 422 is invalid. While an
alert with that alias is open, another one only counts there.
"""

from typing import Any, Final
from urllib.parse import quote

from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import component, details, safe_key, text, title
from telemetry.alerts.incident_channels.service_response import ResponseRules
from telemetry.alerts.rendering.markup import cut
from telemetry.http_client.exchange import BoundedResponse

_MAX_MESSAGE: Final = 130
_MAX_DESCRIPTION: Final = 15_000
_MAX_NOTE: Final = 4000
_MAX_SOURCE: Final = 100
_MAX_DETAILS: Final = 8000
_PRIORITIES: Final = {
    AlertLevel.INFO: "P5",
    AlertLevel.WARNING: "P3",
    AlertLevel.ERROR: "P2",
    AlertLevel.CRITICAL: "P1",
}
_ACTIONS: Final = {IncidentStep.ACKNOWLEDGE: "acknowledge", IncidentStep.RESOLVE: "close"}
_RULES: Final = ResponseRules("jsm", 60.0, ("retry-after", "x-ratelimit-period-in-sec"))


class JiraServiceManagement:
    """`source` is the name of this service and machine."""

    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(0.5, 60)
    steps: Final = frozenset(IncidentStep)
    probe: Final = None

    def __init__(self, key: SecretStr, source: str, url: str = "https://api.atlassian.com") -> None:
        self.url = url
        self._key = key
        self._source = cut(source, _MAX_SOURCE)

    def render(self, event: IncidentEvent) -> HttpCall:
        alias, action = safe_key(event.key), _ACTIONS.get(event.step)
        path = f"/{quote(alias)}/{action}?identifierType=alias" if action else ""
        body = {"source": self._source, "note": text(event, _MAX_NOTE)} if action else self._alert(event, alias)
        headers = {"authorization": f"GenieKey {self._key.get_secret_value()}"}
        return HttpCall("POST", f"{self.url.rstrip('/')}/jsm/ops/integration/v2/alerts{path}", headers, {"json": body})

    def _alert(self, event: IncidentEvent, alias: str) -> dict[str, Any]:
        return {
            "message": title(event, _MAX_MESSAGE),
            "alias": alias,
            "description": text(event, _MAX_DESCRIPTION),
            "priority": _PRIORITIES[event.incident.level],
            "entity": component(event),
            "source": self._source,
            "details": _bounded(details(event)),
        }

    def read(self, _event: IncidentEvent, response: BoundedResponse) -> str:
        _RULES.accepted_object(response)
        return ""

    def read_probe(self, _response: BoundedResponse) -> str:
        return ""


def _bounded(values: dict[str, str]) -> dict[str, str]:
    """The first of them, in as many characters as all details may have."""
    left, kept = _MAX_DETAILS, {}
    for name, value in values.items():
        left -= 2 * (len(name) + len(value))  # a character may be two UTF-16 units
        if left < 0:
            break
        kept[name] = value
    return kept
