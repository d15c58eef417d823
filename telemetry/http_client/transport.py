"""HTTP transport with a total deadline and a maximum size per response. It follows no redirects."""

import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

import httpcore
import httpx

from telemetry.http_client.deadline_backend import DeadlineBackend, deadline
from telemetry.tls import ssl_context

DEADLINE_EXTENSION: Final = "deadline"
"""A request's extension: the `time.monotonic()` by which the whole response must have arrived."""
DEFAULT_SECONDS: Final = 60.0
"""The total time of a request without that extension."""


class BoundedTransport(httpx.HTTPTransport):
    """Applies the deadline to name resolution, connecting, TLS, the request, and the headers and body of the response."""

    def __init__(self, max_bytes: int, proxy: str | None = None) -> None:
        super().__init__(verify=ssl_context(), proxy=proxy)
        limit_waits(self, httpcore)
        self._max_bytes = max_bytes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        end = float(request.extensions.get(DEADLINE_EXTENSION, time.monotonic() + DEFAULT_SECONDS))
        deadline.set(end)
        response = super().handle_request(request)
        response.stream = _BoundedStream(response.stream, request, end, self._max_bytes)
        return response


class BoundedBody:
    """The body of a response, with a deadline (`time.monotonic()`) and a maximum size. `library` is httpx or httpx2."""

    library: ModuleType

    def __init__(self, stream: Any, request: Any, end: float, max_bytes: int) -> None:
        self._stream = stream
        self._request = request
        self._end = end
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Errors are thrown into the stream below, so that its instrumentation records a failed call."""
        deadline.set(self._end)
        chunks, size = iter(self._stream), 0
        for chunk in chunks:
            size += len(chunk)
            if time.monotonic() > self._end:
                chunks.throw(self._error("ReadTimeout", "The response was not complete by its deadline."))
            if size > self._max_bytes:
                chunks.throw(self._error("ReadError", f"The response is longer than {self._max_bytes} bytes."))
            yield chunk
            deadline.set(self._end)  # another exchange may have been between two chunks

    def _error(self, name: str, message: str) -> Exception:
        error: Exception = getattr(self.library, name)(message, request=self._request)
        return error

    def close(self) -> None:
        self._stream.close()


class _BoundedStream(BoundedBody, httpx.SyncByteStream):
    library = httpx


def limit_waits(transport: Any, library: ModuleType) -> None:
    """End every wait of a transport of httpx or httpx2 by `deadline`. `library` is httpcore or httpcore2."""
    pool = transport._pool  # noqa: SLF001  # httpx has no parameter for it
    pool._network_backend = DeadlineBackend(pool._network_backend, library)  # noqa: SLF001  # likewise
