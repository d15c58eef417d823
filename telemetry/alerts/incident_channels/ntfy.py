"""ntfy by JSON: notifications with one `sequence_id` replace each other on the phone.

The rules are those of the page "Publishing" of ntfy's documentation ("Publish as JSON", "Updating notifications", "Limitations"): `topic` is
required, `message` has at most 4,096 bytes, `priority` is 1 to 5, `tags` that are names of emojis become emojis, a sequence id has 1 to 64
letters, digits, `-` and `_` and needs ntfy 2.16; an older server shows each step as a notification of its own.
"""

from typing import Any, Final

from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import cut_bytes, link, safe_key, text, title
from telemetry.alerts.incident_channels.service_response import ResponseRules
from telemetry.http_client.exchange import BoundedResponse

_MAX_TITLE: Final = 200
_MAX_MESSAGE_BYTES: Final = 3800
_PRIORITIES: Final = {AlertLevel.INFO: 2, AlertLevel.WARNING: 3, AlertLevel.ERROR: 4, AlertLevel.CRITICAL: 5}
_QUIET: Final = 2
_TAGS: Final = {
    AlertLevel.INFO: "information_source",
    AlertLevel.WARNING: "warning",
    AlertLevel.ERROR: "x",
    AlertLevel.CRITICAL: "rotating_light",
}
_STEP_TAGS: Final = {IncidentStep.ACKNOWLEDGE: "eyes", IncidentStep.RESOLVE: "white_check_mark"}
_RULES: Final = ResponseRules("ntfy", 60.0)


class Ntfy:
    """The topic is as good as a password."""

    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(1.0, 12)
    """A visitor of ntfy.sh has 60 requests at once, and another one each 5 seconds."""
    steps: Final = frozenset(IncidentStep)

    def __init__(self, url: str, topic: SecretStr, token: SecretStr | None = None) -> None:
        self.url = url
        self._topic = topic
        self._bearer = token

    @property
    def probe(self) -> HttpCall:
        return HttpCall("GET", f"{self.url.rstrip('/')}/v1/health", self._headers())

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._bearer.get_secret_value()}"} if self._bearer else {}

    def render(self, event: IncidentEvent) -> HttpCall:
        level = event.incident.level
        body: dict[str, Any] = {
            "topic": self._topic.get_secret_value(),
            "sequence_id": safe_key(event.key),
            "title": title(event, _MAX_TITLE),
            "message": cut_bytes(text(event, _MAX_MESSAGE_BYTES), _MAX_MESSAGE_BYTES),
            "priority": _QUIET if event.step in {IncidentStep.UPDATE, IncidentStep.ACKNOWLEDGE} else _PRIORITIES[level],
            "tags": [_STEP_TAGS.get(event.step, _TAGS[level])],
        }
        if url := link(event):
            body["click"] = url
        return HttpCall("POST", f"{self.url.rstrip('/')}/", self._headers(), {"json": body})

    def read(self, _event: IncidentEvent, response: BoundedResponse) -> str:
        return str(_RULES.accepted_object(response).get("id") or "")

    def read_probe(self, response: BoundedResponse) -> str:
        if _RULES.accepted_object(response).get("healthy") is not True:
            raise _RULES.refuses("the server says that it is not healthy")
        return "the server is healthy; the topic is tried with the first alert"
