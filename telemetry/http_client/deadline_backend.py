"""A network backend of httpcore that ends every wait by a deadline: name resolution, connecting, TLS, writing and reading.

The timeouts of httpx bound each wait, not their sum: a server that sends or takes a byte a second would never time out.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Final

import httpcore

_MIN_TIMEOUT_SECONDS: Final = 0.001  # a timeout of 0 would mean: don't wait at all
_MAX_WAIT_SECONDS: Final = 86_400.0  # an infinite timeout is an OverflowError
_PIECE_BYTES: Final = 4096  # a larger piece may be taken in several parts, each of which may take the whole timeout
deadline: Final[ContextVar[float]] = ContextVar("deadline", default=float("inf"))
"""The `time.monotonic()` by which the current exchange must be complete."""


class DeadlineBackend(httpcore.NetworkBackend):
    """Wraps a backend of httpcore or of httpcore2; `library` is the one of them whose errors are raised."""

    def __init__(self, backend: Any, library: ModuleType) -> None:
        self._backend = backend
        self._library: Any = library

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *others: Any, **named: Any
    ) -> httpcore.NetworkStream:
        """Try one address after the other, so that all of them share the deadline."""
        failure: Exception = self._library.ConnectError("The name has no address.")
        for address in self._addresses(host, port, timeout):
            try:
                return _DeadlineConnection(
                    self._backend.connect_tcp(address, port, _remaining(timeout), *others, **named)
                )
            except (self._library.ConnectError, self._library.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        if _is_address(host):
            return [host]
        try:
            return resolve(host, port, _remaining(timeout))
        except queue.Empty:
            raise self._library.ConnectTimeout("The name was not resolved in time.") from None
        except (OSError, UnicodeError) as error:
            raise self._library.ConnectError(str(error)) from error


class _DeadlineConnection(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE_BYTES):
            self._stream.write(buffer[start : start + _PIECE_BYTES], _remaining(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineConnection(self._stream.start_tls(ssl_context, server_hostname, _remaining(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()


def _remaining(timeout: float | None) -> float:
    remaining = min(_MAX_WAIT_SECONDS, max(_MIN_TIMEOUT_SECONDS, deadline.get() - time.monotonic()))
    return remaining if timeout is None else min(timeout, remaining)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolve(host: str, port: int, timeout: float) -> list[str]:
    """The addresses of a host. The resolver takes no timeout, so a thread waits for it.

    Raises:
        queue.Empty: no result within `timeout` seconds.
        OSError, UnicodeError: the name has no address.
    """
    results: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()
    try:
        threading.Thread(target=_look_up, args=(host, port, results), name="resolver", daemon=True).start()
    except RuntimeError:  # no thread can be started while the interpreter ends
        _look_up(host, port, results)
    result = results.get(timeout=timeout)
    if isinstance(result, Exception):
        raise result
    return result


def _look_up(host: str, port: int, results: "queue.SimpleQueue[list[str] | Exception]") -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        results.put([str(address[0]) for *_, address in found])
    except (OSError, UnicodeError) as error:
        results.put(error)
