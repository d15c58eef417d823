"""One HTTP server request: measured from its first byte to the response's last one, and described by a span."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import Token
from threading import get_ident
from time import perf_counter, time_ns
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.propagators import ResponsePropagator, get_global_response_propagator
from opentelemetry.trace import NonRecordingSpan, Span, StatusCode
from opentelemetry.trace import Status as SpanStatus
from starlette.requests import ClientDisconnect

from telemetry import semconv
from telemetry.costs.account import PENDING
from telemetry.costs.measured_steps import StepAccount
from telemetry.failsafe import failsafe, warn_once
from telemetry.instrumentation.fastapi.headers import HEADER_SETTER
from telemetry.instrumentation.fastapi.measuring import EMPTY_CONTEXT, SPAN_KEY, RequestMeasuring
from telemetry.instrumentation.fastapi.published import Message, Receive, Scope, Send
from telemetry.instrumentation.fastapi.request_attributes import request_attributes
from telemetry.instrumentation.fastapi.request_duration import SERVER_ERROR, SPAN_NAMES, Status
from telemetry.instrumentation.fastapi.request_spans import UnsampledSpan
from telemetry.instrumentation.fastapi.sent_response import CONTENT_LENGTH, body_length, fits
from telemetry.stacks.await_chain import AnyTask, running_task
from telemetry.stacks.slow_requests import RequestDetails
from telemetry.stacks.stack_capture import HangingWork

_NOT_RECORDED: Final = frozenset({NonRecordingSpan, UnsampledSpan})
_BODY_MESSAGES: Final = frozenset({"http.response.body", "http.response.pathsend"})
_WITHOUT_BODY: Final = frozenset({*range(100, 200), 204, 304})
_response_propagator: Callable[[], ResponsePropagator | None] = get_global_response_propagator


class ServerRequest(StepAccount):
    """One request and its response, charged with its CPU time; its owner calls `start` first, `end` last, and `fail` before it if the application raised.

    Attributes:
        connection: the object of the server that writes the response, if it says by `disconnected` whether the client has left, as
            uvicorn's do; else None, and the application has to be given `receive`, whose messages say it.
    """

    __slots__ = (
        "_active",
        "_context",
        "_ended_ns",
        "_headers",
        "_is_sampled",
        "_is_secure",
        "_measuring",
        "_method",
        "_receive",
        "_root_path",
        "_send",
        "_sent_bytes",
        "_started",
        "_task",
        "_thread_id",
        "connection",
        "disconnected",
        "is_open",
        "scope",
        "span",
        "status",
    )

    def __init__(  # noqa: PLR0915  # one line a field
        self, measuring: RequestMeasuring, scope: Scope, receive: Receive, send: Send
    ) -> None:
        method = scope["method"]
        self.seconds, self.charged_usd, self.total = 0.0, 0.0, PENDING
        self.disconnected = False
        connection = getattr(send, "__self__", None)
        self.connection = connection if connection is not None and _says_who_left(connection) else None
        self._receive = receive
        self.scope = scope
        self.span: Span | None = None  # only if it records
        self.status: Any = None  # as the application gave it
        self._context = EMPTY_CONTEXT
        self._ended_ns: int | None = None
        self._headers: Any = None
        self._sent_bytes = 0
        self.is_open = True
        self._is_sampled = False
        self._is_secure = scope.get("scheme") == "https"
        self._measuring = measuring
        self._method = method if method in measuring.known_methods else semconv.OTHER_METHOD
        self._root_path = scope.get("root_path", "")
        self._send = send
        self._thread_id = get_ident()
        self._task: AnyTask | None = running_task()
        self._started = perf_counter()
        self._active = active = measuring.active[self._method, self._is_secure]
        active.add(self)

    def start(self) -> Token[Context] | None:
        """Start the span, and make it the current one. Its name gets the route later, after routing."""
        try:
            measuring, parent = self._measuring, self._measuring.parent(self.scope)
            span = measuring.tracer.start(SPAN_NAMES.get(self._method, self._method), parent, self._request_attributes)
            self._context = context = Context({**parent, SPAN_KEY: span})
            if type(span) not in _NOT_RECORDED:
                self._describe_request(span)
            token = otel_context.attach(context)
        except Exception:  # noqa: BLE001  # an edge, as `failsafe`
            warn_once("ServerRequest.start")
            return None
        if measuring.request_hook is not None:
            failsafe(measuring.request_hook)(span, self.scope)
        return token

    def _request_attributes(self) -> dict[str, str | int]:
        return request_attributes(self.scope, self._method, is_secure=self._is_secure)

    def _describe_request(self, span: Span) -> None:
        if span.is_recording():
            self.span, self._is_sampled = span, span.get_span_context().trace_flags.sampled
            if patterns := self._measuring.published.request_headers:
                self._describe_headers(span, self.scope["headers"], patterns, "request")

    def _describe_headers(
        self, span: Span, headers: Iterable[tuple[bytes, bytes]], patterns: list[str], side: str
    ) -> None:
        span.set_attributes(self._measuring.captured(headers, patterns, side))

    @property
    def started(self) -> float:
        return self._started

    def details(self) -> RequestDetails:
        """For the log, while it takes long. Called in another thread."""
        route = self._measuring.routes.resolve(self.scope, self._root_path) or ""
        work = HangingWork(self._thread_id, self._task)
        return RequestDetails(self._method, route, work, self._context, self._headers or ())

    async def receive(self) -> Message:
        """Note that the client has left, where the server has no object that says so."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.disconnected = True
        return message

    def pass_on(self, message: Message) -> Awaitable[None]:  # noqa: C901  # a call more costs more
        """Pass a message of the response on. No coroutine function: creating a coroutine costs as much as the work here."""
        kind = message["type"]
        if kind == "http.response.start":
            if self.status is None:  # a server refuses a second start
                self.status, self._headers = message["status"], message.get("headers")
            if self._measuring.response_headers or _response_propagator() is not None:
                self._begin_response(message)
        elif self.is_open and kind in _BODY_MESSAGES:
            if message.get("more_body", False):
                self._sent_bytes += body_length(message)
            elif self.status is not None:  # else the server refuses the body
                # Recorded before the last bytes are written: the client then finds it counted.
                self.complete(self.status if self._is_complete(message) else self._failure())
        return self._send(message)

    def _is_complete(self, last: Message) -> bool:
        """Whether the client is there, and the body has the length that the headers declare."""
        if (self.connection or self).disconnected:
            return False
        headers = self._headers
        try:
            length = b"%d" % (self._sent_bytes + len(last.get("body", b"")))
            if type(headers) is list and (CONTENT_LENGTH, length) in headers:
                return True
            return self._has_no_body() or fits(headers, int(length), last["type"])
        except Exception:  # noqa: BLE001  # an edge, as `failsafe`
            warn_once("ServerRequest.send")
            return True

    def _has_no_body(self) -> bool:
        """Whether a response has none by its kind, whatever length its headers name."""
        return self.scope["method"] == "HEAD" or self.status in _WITHOUT_BODY

    @failsafe
    def _begin_response(self, message: Message) -> None:
        """Describe the response's headers, and add those of a propagator for responses."""
        if self.span is not None and (patterns := self._measuring.response_headers):
            self._describe_headers(self.span, message.get("headers") or (), patterns, "response")
        if self._context and (propagator := _response_propagator()) is not None:
            propagator.inject(message, context=self._context, setter=HEADER_SETTER)

    def complete(self, status: Status) -> None:  # noqa: PLR0915  # a call more costs more
        """Record the request, once: when the response is complete, or when it is clear that it never will be."""
        self.is_open = False
        try:
            seconds, measuring = perf_counter() - self._started, self._measuring
            self._active.discard(self)
            self._task = None
            route = measuring.routes.resolve(self.scope, self._root_path, self.status)
            version = self.scope.get("http_version", "")
            series = measuring.durations[self._method, route, status, self._is_secure, version]
            series.record(seconds, self._context, self._is_sampled)
            if self.seconds or self.charged_usd:  # it has waited: else nothing is to be handed over
                self.settle_into(series.cost)
            else:
                self.total = series.cost
            if self.span is not None:
                self._ended_ns = time_ns()
                measuring.tracer.describe(self.span, series.span_name, series.outcome)
                if series.is_error:
                    self.span.set_status(StatusCode.ERROR)
        except Exception:  # noqa: BLE001  # an edge, as `failsafe`
            warn_once("ServerRequest.complete")

    def _failure(self, error: BaseException | None = None) -> str:
        """Why a response is not complete: the client has left, or the response broke."""
        has_left = (self.connection or self).disconnected or isinstance(error, ClientDisconnect)
        return semconv.CLIENT_DISCONNECTED if has_left else semconv.RESPONSE_INCOMPLETE

    @failsafe
    def fail(self, error: Exception) -> None:
        """Record the request, with the exception that the application raised."""
        if self.is_open:
            self.complete(self._failure(error))
        if (span := self.span) is not None:
            if not _has_exception(span, error):
                span.record_exception(error)
            if (
                not isinstance(self.status, int) or self.status < SERVER_ERROR
            ):  # else it is the status, as in the duration
                span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            span.set_status(SpanStatus(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def end(self) -> None:
        """Record the request, and end its span at the time of the response's last byte."""
        if self.is_open:
            self.complete(self._failure())
        if self.span is not None:
            try:
                self.span.end(self._ended_ns)
            except Exception:  # noqa: BLE001  # an edge, as `failsafe`
                warn_once("ServerRequest.end")


def _says_who_left(connection: object) -> bool:
    return isinstance(getattr(connection, "disconnected", None), bool)


def _has_exception(span: Any, error: Exception) -> bool:
    """Whether the published package has recorded the exception already, inside the application's own error handler."""
    recorded: Iterable[Mapping[str, Any]] = (event.attributes or {} for event in getattr(span, "events", ()))
    return any(attributes.get("exception.message") == str(error) for attributes in recorded)
