"""Grafana IRM by an incoming webhook of the kind *Formatted Webhook*: alerts with one `alert_uid` are one alert group.

The rules are those of Grafana's pages "Configure OnCall incoming webhooks" and "Rate limits": the recognized fields are `alert_uid`, `title`,
`message`, `state` (`alerting` or `ok`), `image_url` and `link_to_upstream_details`; an integration takes 300 alerts in 5 minutes, then 429.
"""

from typing import Final

from pydantic import SecretStr

from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import link, safe_key, text, title
from telemetry.alerts.incident_channels.service_response import ResponseRules
from telemetry.http_client.exchange import BoundedResponse

_MAX_TITLE: Final = 250
_MAX_MESSAGE: Final = 4000
_RULES: Final = ResponseRules("grafana_irm", 60.0)


class GrafanaIrm:
    """The URL of the integration holds its secret."""

    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(0.5, 50)
    steps: Final = frozenset({IncidentStep.OPEN, IncidentStep.UPDATE, IncidentStep.RESOLVE})
    probe: Final = None

    def __init__(self, url: SecretStr) -> None:
        self._url = url

    @property
    def url(self) -> str:
        return self._url.get_secret_value()

    def render(self, event: IncidentEvent) -> HttpCall:
        body = {
            "alert_uid": safe_key(event.key),
            "title": title(event, _MAX_TITLE),
            "state": "ok" if event.step == IncidentStep.RESOLVE else "alerting",
            "message": text(event, _MAX_MESSAGE),
            "link_to_upstream_details": link(event),
        }
        return HttpCall("POST", self.url, content={"json": body})

    def read(self, _event: IncidentEvent, response: BoundedResponse) -> str:
        _RULES.require_accepted(response)
        return ""

    def read_probe(self, _response: BoundedResponse) -> str:
        return ""
