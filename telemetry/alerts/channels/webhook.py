"""The webhook channel: posts JSON to any address, as the fallback for Telegram."""

import time
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError, Sent, UnreadableResponse
from telemetry.alerts.channels.http_call import SEND_SECONDS, channel_client, post
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.environment.runbook import NO_RUNBOOK, Runbook
from telemetry.http_client.exchange import BoundedResponse
from telemetry.http_client.foreign_values import retry_after_seconds

NAME: Final = "webhook"
_NAME_IN_ERRORS: Final = "the webhook"
_DEFAULT_RETRY_AFTER: Final = 30.0
_TOO_MANY_REQUESTS: Final = 429
_REDIRECTS: Final = range(300, 400)
_CLIENT_ERRORS: Final = range(400, 500)


class Webhook:
    """Posts `{"kind", "text", "alerts": [...]}`; an edit is another post, of kind `update`. The URL may hold a secret."""

    name: Final = NAME
    rate_limit: Final = ChannelRateLimit(0.2, 120)

    def __init__(
        self,
        url: SecretStr,
        client: httpx.Client | None = None,
        seconds: float = SEND_SECONDS,
        runbook: Runbook = NO_RUNBOOK,
    ) -> None:
        self._url = url
        self._runbook = runbook
        self._client = client or channel_client(url.get_secret_value())
        self._seconds = seconds

    def close(self) -> None:
        self._client.close()

    def send(self, notification: Notification, message: Message, state: ChannelState) -> Sent:
        if notification.kind != "file":
            self._post(notification.kind, notification, message)
        return Sent(notification.id, state)

    def edit(self, notification: Notification, message: Message, state: ChannelState) -> ChannelState:
        self._post("update", notification, message)
        return state

    def probe(self, state: ChannelState) -> ChannelState:
        return state  # a webhook knows no other call than a message

    def _post(self, kind: str, notification: Notification, message: Message) -> None:
        body = {
            "kind": kind,
            "post": notification.id,
            "text": message.plain,
            "possible_duplicate": notification.possible_duplicate,
            "alerts": [_to_json(incident, self._runbook) for incident in notification.incidents],
        }
        url, deadline = self._url.get_secret_value(), time.monotonic() + self._seconds
        _require_accepted(post(self._client, _NAME_IN_ERRORS, url, deadline, json=body))


def _require_accepted(response: BoundedResponse) -> None:
    """The status decides: a body that is cut, endless or slow changes nothing."""
    if response.status == _TOO_MANY_REQUESTS:
        seconds = retry_after_seconds(response.headers, "retry-after")
        raise ChannelError("the webhook asks to wait", retry_after=_DEFAULT_RETRY_AFTER if seconds is None else seconds)
    if response.status in _REDIRECTS:
        raise UnreadableResponse(_NAME_IN_ERRORS, response.status)
    if response.status in _CLIENT_ERRORS:
        raise ChannelError(f"the webhook refuses ({response.status})", permanent=True)
    if not 200 <= response.status < 300:  # noqa: PLR2004  # 2xx
        raise ChannelError(f"the webhook failed ({response.status})", outcome_unknown=True)


def _to_json(incident: Incident, runbook: Runbook) -> dict[str, Any]:
    return {
        "id": incident.id,
        "fingerprint": incident.fingerprint,
        "level": incident.level,
        "component": incident.component,
        "text": incident.summary,
        "error": incident.error,
        "location": incident.location,
        "facts": dict(incident.facts),
        "trace_id": incident.trace_id,
        "first_at": _iso_time(incident.first_at),
        "last_at": _iso_time(incident.last_at),
        "count": incident.count,
        "ended_at": None if incident.ended_at is None else _iso_time(incident.ended_at),
        "ended": incident.end_reason,
        "runbook_url": runbook.link(incident.section) or None,
    }


def _iso_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
