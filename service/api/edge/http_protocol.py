"""uvicorn's HTTP protocol with timeouts and limits, against clients that are slow on purpose (Slowloris).

The headers and the body of a request must arrive in time, and the client must read the response in time.
If too many connections wait for their clients, the oldest one is closed. Fast clients, such as health probes, still get in.
"""

import asyncio
import resource
from asyncio import TimerHandle
from collections.abc import Callable
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar, Final

from opentelemetry import metrics
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import telemetry
from service.instruments import connections_rejected_counter
from telemetry import semconv

HEADER_TIMEOUT: Final = 10.0
BODY_TIMEOUT: Final = 30.0
WRITE_TIMEOUT: Final = 30.0
"""Seconds: for the headers of a request, for its body, and for the client to read more of the response."""
MAX_HEADER_BYTES: Final = 32 * 1024
"""Size of all header lines and the URL."""
MAX_WAITING: Final = 500
"""Connections of a process that wait for their clients: see `BoundedHttpProtocol`. Never more than half of the open files."""
_MIN_WAITING: Final = 16
_CLOSE_GRACE_SECONDS: Final = 1.0


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection.

    It waits for its client until a request has arrived with its whole body, while the client does not read a response, and
    between two requests. It does not wait while the application works on a request.
    """

    _waiting: ClassVar[dict["BoundedHttpProtocol", None]] = {}  # ordered: the longest wait first

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self._header_bytes = 0
        self._is_in_body = False

    # --- callbacks of asyncio ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        self.resume_writing()
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._deadline is None and not self._is_working:
            self._await_headers()
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)
        self._wait_for_client()

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        if self._deadline is None and self._is_working:
            self._waiting.pop(self, None)
        if self.flow is not None:
            super().resume_writing()

    # --- callbacks of the parser ---

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        self._is_in_body = False
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
        self._is_in_body = True
        self._wait_for_client()
        is_over_limit = self._is_over_limit
        super().on_headers_complete()
        if is_over_limit:
            self._record_answer(HTTPStatus.SERVICE_UNAVAILABLE, dict(self.scope))

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._cancel_deadline()
        self._is_in_body = False
        if self._is_working:  # else the response was sent before the body was complete
            self._waiting.pop(self, None)
        super().on_message_complete()

    # --- what uvicorn answers itself ---

    def send_400_response(self, msg: str) -> None:
        """Uvicorn calls it for what is no HTTP. Behind the headers, the application has the request, and it is counted there."""
        if not self._is_in_body and not self.transport.is_closing():
            self._record_answer(HTTPStatus.BAD_REQUEST, {"scheme": self.scheme})
        super().send_400_response(msg)

    @property
    def _is_over_limit(self) -> bool:
        """Whether uvicorn answers the request by 503, for its option `--limit-concurrency`."""
        limit: int | None = getattr(self, "limit_concurrency", None)
        return limit is not None and max(len(self.connections), len(self.tasks)) >= limit

    def _record_answer(self, status: HTTPStatus, scope: dict[str, Any]) -> None:
        if (running := telemetry.current()) is not None:
            running.record_server_answer(status.value, scope, self.app)

    # --- callbacks of the response ---

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_working and not self.transport.is_closing():
            self._wait_for_client()

    # --- waiting for the client ---

    @property
    def _is_working(self) -> bool:
        """Whether the application works on a request, or a whole one is behind it."""
        return not getattr(self.cycle, "response_complete", True)  # there may be none yet

    def _await_headers(self) -> None:
        self._set_deadline(self._reject_late_headers, HEADER_TIMEOUT)
        self._waiting.pop(self, None)
        self._wait_for_client()

    def _wait_for_client(self) -> None:
        """Close the connections that have waited longest, if there are too many. One that waits already keeps its place."""
        self._waiting[self] = None
        for oldest in tuple(islice(self._waiting, max(0, len(self._waiting) - _max_waiting()))):
            oldest.evict()

    def evict(self) -> None:
        """Close the connection, with a response if the client awaits one that has not begun."""
        self.reject(HTTPStatus.SERVICE_UNAVAILABLE, is_sent=self._awaits_response)

    @property
    def _awaits_response(self) -> bool:
        """Whether a response can be sent: one that has begun cannot be replaced, and an idle client awaits none."""
        if self._is_in_body:
            return not getattr(self.cycle, "response_started", False)
        return self._deadline is not None and not self._is_working

    def _set_deadline(self, on_timeout: Callable[[], None], seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, on_timeout)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _reject_late_headers(self) -> None:
        self.reject(HTTPStatus.REQUEST_TIMEOUT, is_sent=self._header_bytes > 0)

    def _reject_late_body(self) -> None:
        self.reject(HTTPStatus.REQUEST_TIMEOUT, is_sent=self._awaits_response)

    def _fits(self, added_bytes: int, status: HTTPStatus) -> bool:
        """Count header bytes. Beyond the limit, the request is rejected with the status."""
        self._header_bytes += added_bytes
        if self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.reject(status)
        return not self.transport.is_closing()

    def reject(self, status: HTTPStatus, *, is_sent: bool = True) -> None:
        """Close the connection, with a response of this status, or without one.

        A client that does not read the response is disconnected after a second.
        """
        self._cancel_deadline()
        self._waiting.pop(self, None)
        if self.transport.is_closing():
            return
        # From the global provider: uvicorn creates this object, so nothing can be passed in.
        counter = connections_rejected_counter(metrics.get_meter("service", schema_url=semconv.SCHEMA_URL))
        counter.add(1, {semconv.HTTP_STATUS_CODE: status})
        if is_sent:
            response = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(response.encode("ascii"))
        self.transport.close()
        self.loop.call_later(_CLOSE_GRACE_SECONDS, self.transport.abort)


def _max_waiting() -> int:
    """At most half of the files that the process may open: the others are for requests that are worked on."""
    files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_WAITING if files == resource.RLIM_INFINITY else max(_MIN_WAITING, min(MAX_WAITING, files // 2))
