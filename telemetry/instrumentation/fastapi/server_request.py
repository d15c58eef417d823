"""One HTTP server request: measured from its first byte to the response's last one, and described by a span."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import Token
from time import perf_counter, time_ns
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.instrumentation.propagators import ResponsePropagator, get_global_response_propagator
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi.headers import HEADER_GETTER, HEADER_SETTER
from telemetry.instrumentation.fastapi.measuring import EMPTY_CONTEXT, RequestMeasuring
from telemetry.instrumentation.fastapi.published import Message, Scope, Send
from telemetry.instrumentation.fastapi.request_duration import scheme, span_name

_BODY_MESSAGES: Final = frozenset({"http.response.body", "http.response.pathsend"})
_MAX_VALUE_LENGTH: Final = 512
_response_propagator: Callable[[], ResponsePropagator | None] = get_global_response_propagator


class ServerRequest:
    """One request and its response; its owner calls `start` first, `end` last, and `fail` before it if the application raised."""

    __slots__ = (
        "_context",
        "_ended_ns",
        "_is_open",
        "_is_sampled",
        "_measuring",
        "_method",
        "_root_path",
        "_send",
        "_started",
        "scope",
        "span",
        "status",
    )

    def __init__(self, measuring: RequestMeasuring, scope: Scope, send: Send) -> None:
        method = scope["method"]
        self.scope = scope
        self.span: Span | None = None  # only if it records
        self.status: int | None = None
        self._context = EMPTY_CONTEXT
        self._ended_ns: int | None = None
        self._is_open = True
        self._is_sampled = False
        self._measuring = measuring
        self._method = method if method in measuring.known_methods else semconv.OTHER_METHOD
        self._root_path = scope.get("root_path", "")
        self._send = send
        self._started = perf_counter()
        measuring.active.change(self._method, 1)

    @failsafe
    def start(self) -> Token[Context]:
        """Start the span, and make it the current one. Its name gets the route later, after routing."""
        measuring, parent = self._measuring, self._measuring.parent(self.scope)
        span = measuring.tracer.start(span_name(self._method), parent, self._request_attributes)
        self._context = set_span_in_context(span, parent)
        if span.is_recording():
            self.span, self._is_sampled = span, span.get_span_context().trace_flags.sampled
            if patterns := measuring.published.request_headers:
                self._describe_headers(span, self.scope["headers"], patterns, "request")
        token = otel_context.attach(self._context)
        if (hook := measuring.published.request_hook) is not None:
            hook(span, self.scope)
        return token

    def _request_attributes(self) -> dict[str, str | int]:
        scope = self.scope
        attributes: dict[str, str | int] = {
            semconv.HTTP_METHOD: self._method,
            semconv.URL_PATH: scope["path"][:_MAX_VALUE_LENGTH],
            semconv.URL_SCHEME: scheme(is_secure=self._is_secure()),
            "network.protocol.version": scope.get("http_version", ""),
        }
        if agents := HEADER_GETTER.get(scope, "user-agent"):
            attributes["user_agent.original"] = agents[0][:_MAX_VALUE_LENGTH]
        return attributes

    def _is_secure(self) -> bool:
        return bool(self.scope.get("scheme") == "https")

    def _describe_headers(
        self, span: Span, headers: Iterable[tuple[bytes, bytes]], patterns: list[str], side: str
    ) -> None:
        span.set_attributes(self._measuring.captured(headers, patterns, side))

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message of the response on. No coroutine function: creating a coroutine costs as much as the work here."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            if self._measuring.published.response_headers or _response_propagator() is not None:
                self._begin_response(message)
        elif kind in _BODY_MESSAGES and not message.get("more_body", False):
            self.complete()
        return self._send(message)

    @failsafe
    def _begin_response(self, message: Message) -> None:
        """Describe the response's headers, and add those of a propagator for responses."""
        if self.span is not None and (patterns := self._measuring.published.response_headers):
            self._describe_headers(self.span, message.get("headers") or (), patterns, "response")
        if self._context and (propagator := _response_propagator()) is not None:
            propagator.inject(message, context=self._context, setter=HEADER_SETTER)

    def complete(self) -> None:
        """Record the request, once: when the response is complete, or when it is clear that there will be none."""
        if self._is_open:
            self._is_open = False
            self._measuring.active.change(self._method, -1)
            self._record()

    @failsafe
    def _record(self) -> None:
        measuring, span = self._measuring, self.span
        seconds = perf_counter() - self._started
        route = measuring.routes.resolve(self.scope, self._root_path)
        series = measuring.durations.series((self._method, route, self.status, self._is_secure()))
        series.record(seconds, self._context, is_sampled=self._is_sampled)
        if span is None:
            return
        self._ended_ns = time_ns()
        measuring.tracer.describe(span, series.outcome)
        if route:
            span.update_name(series.span_name)
        if series.is_error:
            span.set_status(StatusCode.ERROR)

    @failsafe
    def fail(self, error: Exception) -> None:
        """Record the request, with the exception that the application raised."""
        self.complete()
        if (span := self.span) is not None:
            if not _has_exception(span, error):
                span.record_exception(error)
            span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    @failsafe
    def end(self) -> None:
        """Record the request, and end its span at the time of the response's last byte."""
        self.complete()
        if self.span is not None:
            self.span.end(self._ended_ns)


def _has_exception(span: Any, error: Exception) -> bool:
    """Whether the published package has recorded the exception already, inside the application's own error handler."""
    recorded: Iterable[Mapping[str, Any]] = (event.attributes or {} for event in getattr(span, "events", ()))
    return any(attributes.get("exception.message") == str(error) for attributes in recorded)
