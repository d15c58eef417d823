"""One HTTP client request: measured once, by a duration and a span that end with the response's body."""

import sys
from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from time import perf_counter, time_ns
from typing import Any, Final

from opentelemetry.metrics import Histogram
from opentelemetry.trace import Span, Status, StatusCode

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instrumentation.cancellation import current_deadline, when_known
from telemetry.instrumentation.unreadable_body import decoding_error

# What truncates a body. (GeneratorExit does not: the reader closes a body that it needs no more of.)
_TRUNCATED: Final = (Exception, CancelledError)
_CLIENT_ERROR: Final = 400


class ClientRequest:
    """From its start until its response's body ends in any way.

    Attributes:
        has_body: the body of the response ends the request, and not the arrival of its headers.
    """

    def __init__(self, span: Span, duration: Histogram, attributes: dict[str, str | int]) -> None:
        self.has_body = False
        self._span = span
        self._duration = duration
        self._attributes = attributes
        self._is_open = True
        self._deadline = current_deadline()
        self._handled = id(sys.exception())  # that of the call before, in a retry
        self._started = perf_counter()

    @failsafe
    def respond(self, status: int, version: str, stream: object) -> None:
        """Note the response; its body is measured if its stream allows it."""
        self._attributes[semconv.HTTP_STATUS_CODE] = status
        if status >= _CLIENT_ERROR:
            self._attributes[semconv.ERROR_TYPE] = str(status)
        if version:
            self._attributes[semconv.PROTOCOL_VERSION] = version
        self.has_body = measure_body(stream, self)

    def begin_body(self) -> None:
        """Note that the body is read from now on, maybe with less time than the request had."""
        self._deadline = current_deadline()

    def fail(self, error: BaseException) -> None:
        """End a request without a whole response."""
        if not self._is_open:
            return
        self._is_open = False
        seconds, ended_ns = perf_counter() - self._started, time_ns()

        def decide(is_timeout: bool) -> None:  # noqa: FBT001  # the only argument
            self._describe(error, TimeoutError.__name__ if is_timeout else type(error).__qualname__)
            self._record(seconds)
            self._span.end(ended_ns)

        if isinstance(error, CancelledError):
            when_known(error, self._deadline, decide)
        else:
            decide(False)

    @failsafe
    def _describe(self, error: BaseException, name: str) -> None:
        self._attributes[semconv.ERROR_TYPE] = name
        self._span.set_attribute(semconv.ERROR_TYPE, name)
        self._span.record_exception(error)
        self._span.set_status(Status(StatusCode.ERROR, f"{name}: {error}"))

    def close(self) -> None:
        """End a request whose body is closed: by its reader, or since the library could not read it."""
        if self._is_open and (error := decoding_error(self._handled)):
            self.fail(error)
        else:
            self.end()

    def end(self) -> None:
        """Record the request, once."""
        if self._is_open:
            self._is_open = False
            self._record(perf_counter() - self._started)
            self._span.end()

    def __del__(self) -> None:
        """End a request whose response was dropped, neither read nor closed."""
        if getattr(self, "_is_open", False):
            self.end()

    @failsafe
    def _record(self, seconds: float) -> None:
        self._duration.record(seconds, self._attributes)


class _MeasuredBody:
    """The stream of a response, which ends its request when it is read, fails or is closed."""

    telemetry_request: ClientRequest

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from super().__iter__()  # type: ignore[misc]  # the library's stream
        except _TRUNCATED as error:
            self.telemetry_request.fail(error)
            raise
        self.telemetry_request.end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.telemetry_request.begin_body()
        try:
            async for chunk in super().__aiter__():  # type: ignore[misc]  # likewise
                yield chunk
        except _TRUNCATED as error:
            self.telemetry_request.fail(error)
            raise
        self.telemetry_request.end()

    def close(self) -> None:
        self.telemetry_request.close()
        super().close()  # type: ignore[misc]  # likewise

    async def aclose(self) -> None:
        self.telemetry_request.close()
        await super().aclose()  # type: ignore[misc]  # likewise


def measure_body(stream: Any, request: ClientRequest) -> bool:
    """Let a response's stream end its request. A hook cannot replace the stream, so the stream gets a subclass of its class.

    Returns:
        False if this stream cannot: its request then ends with the headers.
    """
    try:
        stream.telemetry_request = request
        stream.__class__ = _measured_class(stream.__class__)
    except (AttributeError, TypeError):
        return False
    return True


@lru_cache(maxsize=32)
def _measured_class(stream: type) -> type:
    return type(f"Measured{stream.__name__}", (_MeasuredBody, stream), {})
