"""HTTP transport with a total deadline and a maximum size per response.

The timeouts of httpx bound each read, not their sum: a server that sends a byte a second would never time out.
"""

import ssl
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
import httpx2

from telemetry.tls import ssl_context

DEADLINE_EXTENSION: Final = "deadline"
"""A request's extension: the `time.monotonic()` by which the whole response must have arrived."""
MAX_RESPONSE_BYTES: Final = 512 * 2**20
_MIN_TIMEOUT_SECONDS: Final = 0.001  # a timeout of 0 would mean: don't wait at all
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class BoundedTransport(httpx.HTTPTransport):
    """Applies the deadline of a request's extension DEADLINE_EXTENSION to connecting, headers and body."""

    def __init__(self, proxy: str | None = None) -> None:
        super().__init__(verify=ssl_context(), proxy=proxy)
        pool: Any = self._pool
        pool._network_backend = _DeadlineBackend(pool._network_backend)  # noqa: SLF001  # httpx has no parameter for it

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = float(request.extensions.get(DEADLINE_EXTENSION, "inf"))
        _deadline.set(deadline)
        response = super().handle_request(request)
        response.stream = BoundedStream(response.stream, request, deadline, MAX_RESPONSE_BYTES)
        return response


class BoundedStream(httpx.SyncByteStream, httpx2.SyncByteStream):
    """The body of a response, with a deadline (`time.monotonic()`) and a maximum size. For httpx and for httpx2."""

    def __init__(
        self, stream: Any, request: httpx.Request | httpx2.Request, deadline: float, max_response_bytes: int
    ) -> None:
        self._stream = stream
        self._request = request
        self._deadline = deadline
        self._max_bytes = max_response_bytes
        self._library: Any = httpx2 if isinstance(request, httpx2.Request) else httpx

    def __iter__(self) -> Iterator[bytes]:
        """Errors are thrown into the stream below, so that its instrumentation records a failed call."""
        _deadline.set(self._deadline)
        chunks, size = iter(self._stream), 0
        for chunk in chunks:
            size += len(chunk)
            if time.monotonic() > self._deadline:
                chunks.throw(self._error("ReadTimeout", "The answer was not complete by its deadline."))
            if size > self._max_bytes:
                chunks.throw(self._error("ReadError", f"The answer is longer than {self._max_bytes} bytes."))
            yield chunk

    def _error(self, name: str, message: str) -> Exception:
        error: Exception = getattr(self._library, name)(message, request=self._request)
        return error

    def close(self) -> None:
        self._stream.close()


class _DeadlineBackend(httpcore.NetworkBackend):
    """Limits every wait on the network to the time left until the deadline, also while headers arrive."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *others: Any, **named: Any
    ) -> httpcore.NetworkStream:
        return _DeadlineConnection(self._backend.connect_tcp(host, port, _remaining(timeout), *others, **named))


class _DeadlineConnection(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineConnection(self._stream.start_tls(ssl_context, server_hostname, _remaining(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def _remaining(timeout: float | None) -> float:
    remaining = max(_MIN_TIMEOUT_SECONDS, _deadline.get() - time.monotonic())
    return remaining if timeout is None else min(timeout, remaining)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment sets for a URL (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`)."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
