"""The OpenAI client, without retries of its own and with a total timeout per call."""

import time
from typing import TYPE_CHECKING, Final

import httpcore2
import httpx2

from telemetry.environment.proxies import proxy_for
from telemetry.http_client.deadline_backend import deadline
from telemetry.http_client.transport import BoundedBody, limit_waits

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


ENDPOINTS: Final = ("/responses", "/models", "/models/{model}")
CALL_TIMEOUT_SECONDS: Final = 60.0
_CONNECT_TIMEOUT: Final = 5.0
_MAX_RESPONSE_BYTES: Final = 2**24


def make_client(api_key: str, base_url: str, timeout: float = CALL_TIMEOUT_SECONDS) -> "openai.OpenAI":
    """Make a client that sends each call once.

    Args:
        api_key: the key.
        base_url: the URL of the API, with its version.
        timeout: the seconds that a call may take in total.
    """
    import openai  # noqa: PLC0415  # see above

    timeouts = httpx2.Timeout(timeout, connect=min(_CONNECT_TIMEOUT, timeout))
    transport = _TotalTimeoutTransport(timeout, proxy_for(base_url))
    return openai.OpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=timeouts,
        http_client=openai.DefaultHttpxClient(transport=transport, timeout=timeouts, follow_redirects=False),
    )


class _TotalTimeoutTransport(httpx2.HTTPTransport):
    """Bounds a call as a whole. The timeouts of httpx2 bound each read, not their sum."""

    def __init__(self, seconds: float, proxy: str | None) -> None:
        super().__init__(proxy=proxy)
        limit_waits(self, httpcore2)
        self._seconds = seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        end = time.monotonic() + self._seconds
        deadline.set(end)
        response = super().handle_request(request)
        response.stream = _ResponseBody(response.stream, request, end, _MAX_RESPONSE_BYTES)
        return response


class _ResponseBody(BoundedBody, httpx2.SyncByteStream):
    library = httpx2
