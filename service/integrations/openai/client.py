"""The client of OpenAI: it repeats nothing by itself, and an answer is there within a minute, or not at all."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import httpx2

from service.integrations.http.transport import proxy_for

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


DEADLINE: Final = 60.0
_CONNECT: Final = 5.0
_LARGEST: Final = 2**24


def make_client(api_key: str, base_url: str, deadline: float = DEADLINE) -> "openai.OpenAI":
    """`deadline` is the seconds that a call may take as a whole, once it is connected."""
    import openai  # noqa: PLC0415  # see above

    timeout = httpx2.Timeout(deadline, connect=min(_CONNECT, deadline))
    transport = _BoundedTransport(deadline, proxy_for(base_url))
    return openai.OpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultHttpxClient(transport=transport, timeout=timeout),
    )


class _BoundedTransport(httpx2.HTTPTransport):
    """A timeout bounds each read, and not their sum: an answer that trickles in would never end."""

    def __init__(self, seconds: float, proxy: str | None) -> None:
        super().__init__(proxy=proxy)
        self._seconds = seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        deadline = time.monotonic() + self._seconds
        response = super().handle_request(request)
        response.stream = _BoundedStream(response.stream, request, deadline)
        return response


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: Any, request: httpx2.Request, deadline: float) -> None:
        self._stream = stream
        self._request = request
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        """What goes wrong is thrown into the stream below, so that whoever measures there sees a call that failed."""
        chunks, size = iter(self._stream), 0
        for chunk in chunks:
            size += len(chunk)
            if time.monotonic() > self._deadline:
                chunks.throw(httpx2.ReadTimeout("The answer was not complete by its deadline.", request=self._request))
            if size > _LARGEST:
                chunks.throw(httpx2.ReadError(f"The answer is longer than {_LARGEST} bytes.", request=self._request))
            yield chunk

    def close(self) -> None:
        self._stream.close()
