"""The HTTP call of a channel: bounded in time and size, its failures mapped to `ChannelError`."""

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


def post(client: httpx.Client, channel: str, url: str, deadline: float, **content: Any) -> BoundedResponse:
    """Post once. The URL, which may hold a secret, stays out of errors.

    Args:
        client: of `channel_client`.
        channel: its name in errors.
        url: the address.
        deadline: the `time.monotonic()` by which the whole response must have arrived.
        content: `json`, or `data` and `files`.

    Raises:
        ChannelError: no status arrived.
    """
    try:
        request = client.build_request(
            "POST",
            url,
            headers={"accept-encoding": "identity"},
            extensions={DEADLINE_EXTENSION: deadline},
            **content,
        )
        return exchange(client, request, MAX_ANSWER_BYTES)
    except _NOT_SENT as error:
        raise ChannelError(f"{channel} cannot be reached{through_proxy(url)}: {safe_text(error)}") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise ChannelError(
            f"{channel} did not answer{through_proxy(url)}: {safe_text(error)}", outcome_unknown=True
        ) from None
