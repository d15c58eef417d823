"""uvicorn's HTTP protocol with timeouts and limits, against clients that are slow on purpose (Slowloris).

The headers and the body of a request must arrive in time, and the client must read the response in time.
If too many connections wait for complete headers, the oldest one is closed. Fast clients, such as health probes, still get in.
"""

import asyncio
from asyncio import TimerHandle
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final

from opentelemetry import metrics
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.instruments import connections_rejected_counter
from telemetry import semconv

HEADER_TIMEOUT: Final = 10.0
BODY_TIMEOUT: Final = 30.0
WRITE_TIMEOUT: Final = 30.0
"""Seconds: for the headers of a request, for its body, and for the client to read more of the response."""
MAX_HEADER_BYTES: Final = 32 * 1024
"""Size of all header lines and the URL."""
MAX_PENDING_REQUESTS: Final = 500
"""Connections of a process whose next request has incomplete headers."""
_CLOSE_GRACE_SECONDS: Final = 1.0


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection."""

    _pending: ClassVar[dict["BoundedHttpProtocol", None]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self._header_bytes = 0

    # --- callbacks of asyncio ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._deadline is None and getattr(self.cycle, "response_complete", True):  # there may be none yet
            self._await_headers()
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        if self.flow is not None:
            super().resume_writing()

    # --- callbacks of the parser ---

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._fits(len(url), HTTPStatus.REQUEST_URI_TOO_LONG):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._fits(len(name) + len(value), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._set_deadline(self._reject_late_body, BODY_TIMEOUT)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._cancel_deadline()
        super().on_message_complete()

    # --- deadlines ---

    def _await_headers(self) -> None:
        self._set_deadline(self._reject_late_headers, HEADER_TIMEOUT)
        self._pending[self] = None
        if len(self._pending) > MAX_PENDING_REQUESTS:
            oldest = next(iter(self._pending))
            oldest.reject(HTTPStatus.SERVICE_UNAVAILABLE)

    def _set_deadline(self, on_timeout: Callable[[], None], seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, on_timeout)

    def _cancel_deadline(self) -> None:
        self._pending.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _reject_late_headers(self) -> None:
        self.reject(HTTPStatus.REQUEST_TIMEOUT if self._header_bytes else None)

    def _reject_late_body(self) -> None:
        """A response that has begun cannot be replaced by an error: the connection is closed."""
        self.reject(None if getattr(self.cycle, "response_started", False) else HTTPStatus.REQUEST_TIMEOUT)

    def _fits(self, added_bytes: int, status: HTTPStatus) -> bool:
        """Count header bytes. Beyond the limit, the request is rejected with the status."""
        self._header_bytes += added_bytes
        if self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.reject(status)
        return not self.transport.is_closing()

    def reject(self, status: HTTPStatus | None) -> None:
        """Close the connection, with a response of this status, or without one.

        A client that does not read the response is disconnected after a second.
        """
        self._cancel_deadline()
        if self.transport.is_closing():
            return
        # From the global provider: uvicorn creates this object, so nothing can be passed in.
        counter = connections_rejected_counter(metrics.get_meter("service"))
        counter.add(1, {semconv.HTTP_STATUS_CODE: status or HTTPStatus.REQUEST_TIMEOUT})
        if status is not None:
            response = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(response.encode("ascii"))
        self.transport.close()
        self.loop.call_later(_CLOSE_GRACE_SECONDS, self.transport.abort)
