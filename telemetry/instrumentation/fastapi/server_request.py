"""One HTTP server request: measured from its first byte to the response's last one, and described by a span."""

import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from time import perf_counter, time_ns
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi.route_template import RouteResolver

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

EMPTY_CONTEXT: Final = Context()
_BODY_MESSAGES: Final = frozenset({"http.response.body", "http.response.pathsend"})
_MAX_VALUE_LENGTH: Final = 512
_SERVER_ERROR: Final = 500


class ActiveRequests:
    """The number of active requests by method, observed when the metrics are collected."""

    def __init__(self) -> None:
        self._by_method: dict[str, int] = {}
        self._lock = threading.RLock()

    def change(self, method: str, by: int) -> None:
        with self._lock:
            self._by_method[method] = self._by_method.get(method, 0) + by

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            by_method = list(self._by_method.items())
        return [Observation(number, {semconv.HTTP_METHOD: method}) for method, number in by_method]


@dataclass(frozen=True, slots=True)
class ServerInstruments:
    """The tracer and the instruments of HTTP server requests."""

    tracer: Tracer
    duration: Histogram
    active: ActiveRequests

    @classmethod
    def create(cls, tracer: Tracer, meter: Meter, duration: Histogram) -> "ServerInstruments":
        active = ActiveRequests()
        meter.create_observable_up_down_counter(
            semconv.HTTP_SERVER_ACTIVE, [active.observe], "{request}", "HTTP requests being answered."
        )
        return cls(tracer, duration, active)


class _HeaderGetter(Getter[Scope]):
    """Reads the headers of an ASGI scope for a propagator."""

    def get(self, carrier: Scope, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in carrier["headers"] if name == wanted] or None

    def keys(self, carrier: Scope) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier["headers"]]


HEADER_GETTER: Final = _HeaderGetter()


class ServerRequest:
    """One request and its response; its owner calls `end` at the end, and `fail` before it if the application raised."""

    __slots__ = (
        "_context",
        "_ended_ns",
        "_instruments",
        "_method",
        "_open",
        "_root_path",
        "_routes",
        "_send",
        "_started",
        "scope",
        "span",
        "status",
    )

    def __init__(self, scope: Scope, send: Send, instruments: ServerInstruments, routes: RouteResolver) -> None:
        method = scope["method"]
        self.scope = scope
        self.span: Span | None = None
        self.status: int | None = None
        self._context = EMPTY_CONTEXT
        self._ended_ns: int | None = None
        self._instruments = instruments
        self._method = method if method in semconv.KNOWN_METHODS else semconv.OTHER_METHOD
        self._open = True
        self._root_path = scope.get("root_path", "")
        self._routes = routes
        self._send = send
        self._started = perf_counter()
        instruments.active.change(self._method, 1)

    def start_span(self, parent: Context) -> Context:
        """Start the span; its name gets the route later, after routing. Returns the span's context."""
        span = self._instruments.tracer.start_span(
            self._span_name(),
            context=parent,
            kind=SpanKind.SERVER,
            attributes={semconv.HTTP_METHOD: self._method, semconv.URL_PATH: self.scope["path"][:_MAX_VALUE_LENGTH]},
        )
        self.span = span
        self._context = set_span_in_context(span, parent)
        return self._context

    def _span_name(self, route: object = None) -> str:
        method = self._method if self._method != semconv.OTHER_METHOD else "HTTP"
        return f"{method} {route}" if route else method

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message of the response on. No coroutine function: creating a coroutine costs as much as the work here."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
        elif kind in _BODY_MESSAGES and not message.get("more_body", False):
            self.complete()
        return self._send(message)

    def complete(self) -> None:
        """Record the request, once: when the response is complete, or when it is clear that there will be none."""
        if self._open:
            self._open = False
            self._instruments.active.change(self._method, -1)
            self._record()

    @failsafe
    def _record(self) -> None:
        attributes = self._metric_attributes()
        self._instruments.duration.record(perf_counter() - self._started, attributes, self._context)
        if self.span is not None and self.span.is_recording():
            self._ended_ns = time_ns()
            self._describe(self.span, attributes)

    def _metric_attributes(self) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {
            semconv.HTTP_METHOD: self._method,
            semconv.URL_SCHEME: "https" if self.scope.get("scheme") == "https" else "http",
        }
        if route := self._routes.resolve(self.scope, self._root_path):
            attributes[semconv.HTTP_ROUTE] = route
        if self.status is not None:
            attributes[semconv.HTTP_STATUS_CODE] = self.status
            if self.status >= _SERVER_ERROR:
                attributes[semconv.ERROR_TYPE] = str(self.status)
        return attributes

    def _describe(self, span: Span, attributes: dict[str, str | int]) -> None:
        described = {**attributes, "network.protocol.version": self.scope.get("http_version", "")}
        if agents := HEADER_GETTER.get(self.scope, "user-agent"):
            described["user_agent.original"] = agents[0][:_MAX_VALUE_LENGTH]
        span.set_attributes(described)
        if route := attributes.get(semconv.HTTP_ROUTE):
            span.update_name(self._span_name(route))
        if self.status is None or self.status >= _SERVER_ERROR:
            span.set_status(StatusCode.ERROR)

    @failsafe
    def fail(self, error: Exception) -> None:
        """Record the request, with the exception that the application raised."""
        self.complete()
        if self.span is not None and self.span.is_recording():
            self.span.record_exception(error)
            self.span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            self.span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    @failsafe
    def end(self) -> None:
        """Record the request, and end its span at the time of the response's last byte."""
        self.complete()
        if self.span is not None:
            self.span.end(self._ended_ns)
