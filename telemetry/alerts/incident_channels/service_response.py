"""What the response of an incident service means. Each service names what is its own; the rest is HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from telemetry.alerts.channels.channel import ChannelError, UnreadableResponse
from telemetry.http_client.exchange import BoundedResponse
from telemetry.http_client.foreign_values import RETRY_AFTER, retry_after_seconds

TOO_MANY_REQUESTS: Final = 429
_REFUSED: Final = frozenset({401, 402, 403, 404, 405, 410})
"""Of a key, an address or an account: the next message would meet the same."""
_REJECTED: Final = frozenset({400, 409, 413, 415, 422})
"""Of this message: the next one may be accepted."""
_MAX_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class ResponseRules:
    """How to read the responses of a service.

    Attributes:
        name: of the service, in errors.
        default_wait: seconds to wait after a 429 that says no time.
        wait_headers: which say it, in seconds; Retry-After may be a date.
    """

    name: str
    default_wait: float
    wait_headers: tuple[str, ...] = (RETRY_AFTER,)

    def require_accepted(self, response: BoundedResponse) -> None:
        """
        Raises:
            ChannelError: the service did not accept the message, or something else answered in its place.
        """
        status = response.status
        if status == TOO_MANY_REQUESTS:
            raise self.asks_to_wait(response.headers)
        if status < 200 or 300 <= status < 400 or _is_page(response):  # noqa: PLR2004  # a redirect, or a proxy's page
            raise UnreadableResponse(self.name, status)
        if status in _REFUSED:
            raise self.refuses(f"{status}: {reason_of(response)}")
        if status in _REJECTED:
            raise self.rejects(f"{status}: {reason_of(response)}")
        if status >= 400:  # noqa: PLR2004
            raise ChannelError(f"{self.name} failed ({status})", outcome_unknown=True)

    def accepted_object(self, response: BoundedResponse) -> Mapping[str, Any]:
        """The JSON object of an accepted message.

        Raises:
            ChannelError: as for `require_accepted`.
            UnreadableResponse: it is no JSON object, so it is not the service's.
        """
        self.require_accepted(response)
        if (body := response.json_object()) is None:
            raise UnreadableResponse(self.name, response.status)
        return body

    def asks_to_wait(self, headers: Mapping[str, str]) -> ChannelError:
        seconds = retry_after_seconds(headers, *self.wait_headers)
        wait = self.default_wait if seconds is None else seconds
        return ChannelError(f"{self.name} asks to wait {wait:.0f} s", retry_after=wait)

    def refuses(self, reason: str) -> ChannelError:
        return ChannelError(f"{self.name} refuses ({reason})", permanent=True)

    def rejects(self, reason: str) -> ChannelError:
        return ChannelError(f"{self.name} rejects a message ({reason})", message_rejected=True)


def reason_of(response: BoundedResponse) -> str:
    """What the service says about the refusal, in one line."""
    body = response.json_object()
    said = [body[name] for name in ("message", "error", "detail", "errors") if body.get(name)] if body else []
    words = "; ".join(each if isinstance(each, str) else json.dumps(each) for each in said)
    return " ".join(words.split())[:_MAX_REASON] or "no reason"


def _is_page(response: BoundedResponse) -> bool:
    """Whether it is HTML: a page of a proxy, a portal or a load balancer, since no service answers so."""
    return (response.body or b"").lstrip()[:1] == b"<"
