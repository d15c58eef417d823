"""Slack by `chat.postMessage` and `chat.update`: one message for each incident, which its steps replace.

The rules are those of Slack's pages "chat.postMessage", "chat.update", "Rate limits" and "Formatting text": a refusal is a 200 with
`ok: false` and `error`, a 429 has Retry-After, a channel takes about one message a second, an update needs the channel's id and the `ts` of
the message, `&`, `<` and `>` are escaped so that a text mentions nobody, and a text has at most 4,000 characters.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError, MessageGone
from telemetry.alerts.channels.http_call import HttpCall
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_channels.incident_texts import text
from telemetry.alerts.incident_channels.service_response import ResponseRules
from telemetry.alerts.rendering.markup import ELLIPSIS, units
from telemetry.http_client.exchange import BoundedResponse

_MAX_TEXT: Final = 3900
_RULES: Final = ResponseRules("slack", 30.0)
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_RATE_LIMITED: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_REJECTED: Final = frozenset(
    {"msg_too_long", "no_text", "msg_blocks_too_long", "invalid_arguments", "as_user_not_supported"}
)
_FAILED: Final = frozenset({"fatal_error", "internal_error", "service_unavailable", "request_timeout"})
"""After these, Slack says, some of the operation may have happened."""


class Slack:
    """A remote id is `CHANNEL:TS`. An update of no known message is a new message."""

    name: Final = _RULES.name
    rate_limit: Final = ChannelRateLimit(1.0, 50)
    steps: Final = frozenset(IncidentStep)

    def __init__(self, token: SecretStr, channel: str, url: str = "https://slack.com/api") -> None:
        self.url = url
        self._bearer = token
        self._channel = channel

    @property
    def probe(self) -> HttpCall:
        return self._call("auth.test", {})

    def render(self, event: IncidentEvent) -> HttpCall:
        body: dict[str, Any] = {
            "text": _escaped(event),
            "parse": "none",
            "link_names": False,
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        channel, _, ts = event.remote_id.partition(":")
        if ts:
            return self._call(
                "chat.update",
                {name: body[name] for name in ("text", "parse", "link_names")} | {"channel": channel, "ts": ts},
            )
        return self._call("chat.postMessage", {**body, "channel": self._channel})

    def _call(self, method: str, body: Mapping[str, Any]) -> HttpCall:
        headers = {
            "authorization": f"Bearer {self._bearer.get_secret_value()}",
            "content-type": "application/json; charset=utf-8",
        }
        return HttpCall("POST", f"{self.url.rstrip('/')}/{method}", headers, {"json": dict(body)})

    def read(self, _event: IncidentEvent, response: BoundedResponse) -> str:
        body = _accepted(response)
        channel, ts = body.get("channel"), body.get("ts")
        return f"{channel}:{ts}" if isinstance(channel, str) and isinstance(ts, str) else ""

    def read_probe(self, response: BoundedResponse) -> str:
        body = _accepted(response)
        return f"the token of {body.get('user', 'a bot')} in {body.get('team', 'a workspace')} is valid"


def _accepted(response: BoundedResponse) -> Mapping[str, Any]:
    body = _RULES.accepted_object(response)
    if body.get("ok") is not True:
        raise _refusal(str(body.get("error") or "no reason"), response.headers)
    return body


def _refusal(error: str, headers: Mapping[str, str]) -> Exception:
    if error in _GONE:
        return MessageGone()
    if error in _RATE_LIMITED:
        return _RULES.asks_to_wait(headers)
    if error in _REJECTED:
        return _RULES.rejects(error)
    if error in _FAILED:
        return ChannelError(f"slack failed ({error})", outcome_unknown=True)
    return _RULES.refuses(error)


def _escaped(event: IncidentEvent) -> str:
    """Escaped, and short enough with what escaping adds."""
    kept: list[str] = []
    left = _MAX_TEXT
    for character in text(event, _MAX_TEXT):
        escaped = character.translate(_ESCAPED)
        left -= units(escaped)
        if left < 0:
            return "".join(kept) + ELLIPSIS
        kept.append(escaped)
    return "".join(kept)
