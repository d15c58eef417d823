"""The webhook channel: posts JSON to any address, as the fallback for Telegram."""

from datetime import UTC, datetime
from typing import Any, Final

import httpx
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError, Sent
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.error_text import safe_text
from telemetry.tls import ssl_context

NAME: Final = "webhook"
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_TOO_MANY_REQUESTS: Final = 429
_CLIENT_ERRORS: Final = range(400, 500)


class Webhook:
    """Posts `{"kind", "text", "alerts": [...]}`; an edit is another post, of kind `update`. The URL may hold a secret."""

    name: Final = NAME
    rate_limit: Final = ChannelRateLimit(0.2, 120)

    def __init__(self, url: SecretStr, client: httpx.Client | None = None) -> None:
        self._url = url
        self._client = client or httpx.Client(timeout=_TIMEOUT, verify=ssl_context())

    def close(self) -> None:
        self._client.close()

    def send(self, notification: Notification, message: Message, state: ChannelState) -> Sent:
        if notification.kind != "file":
            self._post(notification.kind, notification, message)
        return Sent(notification.id, state)

    def edit(self, notification: Notification, message: Message, state: ChannelState) -> ChannelState:
        self._post("update", notification, message)
        return state

    def _post(self, kind: str, notification: Notification, message: Message) -> None:
        body = {
            "kind": kind,
            "post": notification.id,
            "text": message.plain,
            "may_be_a_repeat": notification.possible_duplicate,
            "alerts": [_to_json(incident) for incident in notification.incidents],
        }
        try:
            status = self._client.post(self._url.get_secret_value(), json=body).status_code
        except _NOT_SENT as error:
            raise ChannelError(f"the webhook cannot be reached: {safe_text(error)}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ChannelError(f"the webhook did not answer: {safe_text(error)}", outcome_unknown=True) from None
        if status == _TOO_MANY_REQUESTS:
            raise ChannelError("the webhook asks to wait", retry_after=30.0)
        if status in _CLIENT_ERRORS:
            raise ChannelError(f"the webhook refuses ({status})", permanent=True)
        if not 200 <= status < 300:  # noqa: PLR2004  # 2xx
            raise ChannelError(f"the webhook failed ({status})", outcome_unknown=True)


def _to_json(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "fingerprint": incident.fingerprint,
        "level": incident.level,
        "component": incident.component,
        "text": incident.summary,
        "error": incident.error,
        "place": incident.location,
        "facts": dict(incident.facts),
        "trace_id": incident.trace_id,
        "first_at": _iso_time(incident.first_at),
        "last_at": _iso_time(incident.last_at),
        "count": incident.count,
        "ended_at": None if incident.ended_at is None else _iso_time(incident.ended_at),
        "ended": incident.end_reason,
    }


def _iso_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
