"""incident.io by an HTTP alert source: firing and resolved under one `deduplication_key`.

The rules are those of incident.io's pages "Alert Events V2: CreateHTTP" and "Introduction": `title`, `status` and `deduplication_key` are
required, the token of the source is a Bearer token, a 202 is accepted for processing, and a 429 says in `rate_limit.retry_after` when to go on.
"""

from typing import Final

from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.http_incident_channel import UnprobedService
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import details, link, safe_key, text, title
from telemetry.alerts.incident_channels.service_response import TOO_MANY_REQUESTS, ResponseRules
from telemetry.http_client.exchange import BoundedResponse
from telemetry.http_client.foreign_values import retry_after

_MAX_TITLE: Final = 250
_MAX_DESCRIPTION: Final = 8000
_RULES: Final = ResponseRules("incident_io", 60.0)


class IncidentIo(UnprobedService):
    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(0.2, 120)
    steps: Final = frozenset({IncidentStep.OPEN, IncidentStep.UPDATE, IncidentStep.RESOLVE})

    def __init__(self, url: str, token: SecretStr) -> None:
        self.url = url
        self._bearer = token

    def render(self, event: IncidentEvent) -> HttpCall:
        body = {
            "title": title(event, _MAX_TITLE),
            "status": "resolved" if event.step == IncidentStep.RESOLVE else "firing",
            "deduplication_key": safe_key(event.key),
            "description": text(event, _MAX_DESCRIPTION),
            "metadata": details(event),
        }
        if url := link(event):
            body["source_url"] = url
        return HttpCall(
            "POST", self.url, {"authorization": f"Bearer {self._bearer.get_secret_value()}"}, {"json": body}
        )

    def read(self, _event: IncidentEvent, response: BoundedResponse) -> str:
        if response.status == TOO_MANY_REQUESTS and (seconds := _wait(response)) is not None:
            raise ChannelError(f"{self.name} asks to wait {seconds:.0f} s", retry_after=seconds)
        _RULES.accepted_object(response)
        return ""


def _wait(response: BoundedResponse) -> float | None:
    limit = (response.json_object() or {}).get("rate_limit")
    return retry_after(limit.get("retry_after")) if isinstance(limit, dict) else None
