"""Transport: an HTTP transport whose answers end by a deadline and within a size, whatever trickles in.

A client's own timeouts bound each read, and not their sum.
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

from telemetry.tls import ssl_context

TOTAL_TIMEOUT: Final = "deadline"
MAX_RESPONSE_BYTES: Final = 512 * 2**20
_SHORTEST: Final = 0.001  # a timeout of 0 would mean: don't wait at all
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class BoundedTransport(httpx.HTTPTransport):
    """A request's extension `deadline` is the moment of `time.monotonic()` by which its answer has to be there."""

    def __init__(self, proxy: str | None = None) -> None:
        super().__init__(verify=ssl_context(), proxy=proxy)
        pool: Any = self._pool
        pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001  # httpx has no way to hand one over

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = float(request.extensions.get(TOTAL_TIMEOUT, "inf"))
        _deadline.set(deadline)
        response = super().handle_request(request)
        response.stream = _BoundedStream(response.stream, request, deadline)
        return response


class _BoundedStream(httpx.SyncByteStream):
    def __init__(self, stream: Any, request: httpx.Request, deadline: float) -> None:
        self._stream = stream
        self._request = request
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        """What goes wrong is thrown into the stream below, so that whoever measures there sees a call that failed."""
        _deadline.set(self._deadline)
        chunks, size = iter(self._stream), 0
        for chunk in chunks:
            size += len(chunk)
            if time.monotonic() > self._deadline:
                chunks.throw(httpx.ReadTimeout("The answer was not complete by its deadline.", request=self._request))
            if size > MAX_RESPONSE_BYTES:
                chunks.throw(
                    httpx.ReadError(f"The answer is longer than {MAX_RESPONSE_BYTES} bytes.", request=self._request)
                )
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Backend(httpcore.NetworkBackend):
    """Nothing that is waited for on the network lasts longer than until the deadline, an answer's head included."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *others: Any, **named: Any
    ) -> httpcore.NetworkStream:
        return _Connection(self._backend.connect_tcp(host, port, _left(timeout), *others, **named))


class _Connection(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Connection(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def _left(timeout: float | None) -> float:
    left = max(_SHORTEST, _deadline.get() - time.monotonic())
    return left if timeout is None else min(timeout, left)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`)."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
