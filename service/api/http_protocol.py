"""Connections: uvicorn's HTTP protocol with deadlines and limits, which it has none of for a client that is slow on purpose.

A request's head and its body have to come, and its answer has to be taken, within a time; the head within a size. When very many
have not sent a whole head, the oldest of them goes: so those who ask quickly, the probes above all, get in whatever the others do.
"""

import asyncio
from asyncio import TimerHandle
from http import HTTPStatus
from typing import Any, ClassVar, Final

from opentelemetry import metrics
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.instruments import connections_rejected_counter
from telemetry import semconv

HEADER_TIMEOUT: Final = 10.0
BODY_TIMEOUT: Final = 30.0
WRITE_TIMEOUT: Final = 30.0
"""Seconds: for a request's head, for its body, and for the client to take more of the answer."""
MAX_HEADER_BYTES: Final = 32 * 1024
"""Bytes of its lines, the URL among them."""
MAX_PENDING_REQUESTS: Final = 500
"""Connections of a process whose next head is not complete."""
_CLOSE_GRACE_SECONDS: Final = 1.0


class BoundedHttpProtocol(HttpToolsProtocol):
    """One client's; uvicorn makes one for each."""

    _unread: ClassVar[dict["BoundedHttpProtocol", None]] = {}

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._deadline: TimerHandle | None = None
        self._stuck: TimerHandle | None = None
        self._head_size = 0

    # --- asyncio's protocol ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._deadline is None and getattr(self.cycle, "response_complete", True):  # there may be none yet
            self._expect_a_head()
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(WRITE_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        if self.flow is not None:
            super().resume_writing()

    # --- what the parser finds ---

    def on_message_begin(self) -> None:
        self._head_size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._within(len(url), HTTPStatus.REQUEST_URI_TOO_LONG):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._within(len(name) + len(value), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._expect(self._late_body, BODY_TIMEOUT)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._expect(None)
        super().on_message_complete()

    # --- deadlines ---

    def _expect_a_head(self) -> None:
        self._expect(self._late_head, HEADER_TIMEOUT)
        self._unread[self] = None
        if len(self._unread) > MAX_PENDING_REQUESTS:
            oldest = next(iter(self._unread))
            oldest.refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _expect(self, late: Any, within: float = 0.0) -> None:
        """`late` is called when what is expected next has not come within so many seconds; None expects nothing."""
        self._unread.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(within, late) if late else None

    def _late_head(self) -> None:
        self.refuse(HTTPStatus.REQUEST_TIMEOUT if self._head_size else None)

    def _late_body(self) -> None:
        """What has begun to be answered is cut: an answer cannot be taken back."""
        self.refuse(None if getattr(self.cycle, "response_started", False) else HTTPStatus.REQUEST_TIMEOUT)

    def _within(self, more: int, refusal: HTTPStatus) -> bool:
        self._head_size += more
        if self._head_size > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.refuse(refusal)
        return not self.transport.is_closing()

    def refuse(self, status: HTTPStatus | None) -> None:
        """Say why, in the one line that any client reads, and go; whoever does not take it is cut off."""
        self._expect(None)
        if self.transport.is_closing():
            return
        # Of whatever meters there are here: uvicorn makes connections.
        refused = connections_rejected_counter(metrics.get_meter("service"))
        refused.add(1, {semconv.HTTP_STATUS_CODE: status or HTTPStatus.REQUEST_TIMEOUT})
        if status is not None:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode("ascii"))
        self.transport.close()
        self.loop.call_later(_CLOSE_GRACE_SECONDS, self.transport.abort)
