"""The HTTP call of a channel: bounded in time and size, its failures mapped to `ChannelError`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from telemetry.alerts.channels.channel import ChannelError
from telemetry.environment.proxies import proxy_for, through_proxy
from telemetry.error_text import safe_text
from telemetry.http_client.exchange import BoundedResponse, exchange
from telemetry.http_client.transport import DEADLINE_EXTENSION, BoundedTransport

SEND_SECONDS: Final = 20.0
"""The total time of a send, all of its calls together. Shorter than the lease of the process that sends."""
MAX_ANSWER_BYTES: Final = 2**20
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)


def channel_client(url: str) -> httpx.Client:
    """A client for one address, by the environment's proxy."""
    return httpx.Client(transport=BoundedTransport(MAX_ANSWER_BYTES, proxy_for(url)), timeout=_TIMEOUT)


@dataclass(frozen=True, slots=True, repr=False)
class HttpCall:
    """A request. `content` is `json`, or `data` and `files`; URL and headers may hold a secret."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)


def post(client: httpx.Client, channel: str, url: str, deadline: float, **content: Any) -> BoundedResponse:
    """`call` that posts. `content` is `json`, or `data` and `files`."""
    return call(client, channel, HttpCall("POST", url, content=content), deadline)


def call(client: httpx.Client, channel: str, request: HttpCall, deadline: float) -> BoundedResponse:
    """Send a request once. The URL, which may hold a secret, stays out of errors.

    Args:
        client: of `channel_client`.
        channel: its name in errors.
        request: what to send.
        deadline: the `time.monotonic()` by which the whole response must have arrived.

    Raises:
        ChannelError: no status arrived.
    """
    try:
        built = client.build_request(
            request.method,
            request.url,
            headers={**request.headers, "accept-encoding": "identity"},
            extensions={DEADLINE_EXTENSION: deadline},
            **request.content,
        )
        return exchange(client, built, MAX_ANSWER_BYTES)
    except _NOT_SENT as error:
        raise ChannelError(f"{channel} cannot be reached{through_proxy(request.url)}: {safe_text(error)}") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise ChannelError(
            f"{channel} did not answer{through_proxy(request.url)}: {safe_text(error)}", outcome_unknown=True
        ) from None
