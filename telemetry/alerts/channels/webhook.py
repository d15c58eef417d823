"""Webhook: the second channel, any address that takes JSON, for when Telegram does not accept messages any more."""

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
_SURELY_NOT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_TOO_MANY: Final = 429
_REFUSED: Final = range(400, 500)


class Webhook:
    """`{"kind", "text", "alerts": [...]}`; an edit is one more, of kind `update`. The address may hold a secret."""

    name: Final = NAME
    pace: Final = ChannelRateLimit(0.2, 120)

    def __init__(self, url: SecretStr, client: httpx.Client | None = None) -> None:
        self._url = url
        self._client = client or httpx.Client(timeout=_TIMEOUT, verify=ssl_context())

    def close(self) -> None:
        self._client.close()

    def send(self, post: Notification, message: Message, state: ChannelState) -> Sent:
        if post.kind != "file":
            self._post(post.kind, post, message)
        return Sent(post.id, state)

    def edit(self, post: Notification, message: Message, state: ChannelState) -> ChannelState:
        self._post("update", post, message)
        return state

    def _post(self, kind: str, post: Notification, message: Message) -> None:
        body = {
            "kind": kind,
            "post": post.id,
            "text": message.plain,
            "may_be_a_repeat": post.is_doubtful,
            "alerts": [_told(incident) for incident in post.incidents],
        }
        try:
            status = self._client.post(self._url.get_secret_value(), json=body).status_code
        except _SURELY_NOT as error:
            raise ChannelError(f"the webhook cannot be reached: {safe_text(error)}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ChannelError(f"the webhook did not answer: {safe_text(error)}", is_doubtful=True) from None
        if status == _TOO_MANY:
            raise ChannelError("the webhook asks to wait", retry_after=30.0)
        if status in _REFUSED:
            raise ChannelError(f"the webhook refuses ({status})", is_final=True)
        if not 200 <= status < 300:  # noqa: PLR2004  # 2xx
            raise ChannelError(f"the webhook failed ({status})", is_doubtful=True)


def _told(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "fingerprint": incident.fingerprint,
        "level": incident.level,
        "component": incident.component,
        "text": incident.words,
        "error": incident.error,
        "place": incident.place,
        "facts": dict(incident.facts),
        "trace_id": incident.trace_id,
        "first_at": _moment(incident.first_at),
        "last_at": _moment(incident.last_at),
        "count": incident.count,
        "ended_at": None if incident.ended_at is None else _moment(incident.ended_at),
        "ended": incident.ended,
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
