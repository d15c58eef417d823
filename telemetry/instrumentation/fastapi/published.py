"""The middleware of opentelemetry-instrumentation-fastapi in an application's stack, and the settings that it has parsed."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, Self

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.metrics import Histogram
from opentelemetry.trace import Span, Tracer

from telemetry import semconv

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_MAX_DEPTH: Final = 100
"""A stack is not that deep: the end of a chain that is a circle."""
SETTINGS: Final = (
    "excluded_urls",
    "server_request_hook",
    "client_request_hook",
    "client_response_hook",
    "http_capture_headers_server_request",
    "http_capture_headers_server_response",
    "http_capture_headers_sanitize_fields",
)
"""The public attributes that hold what a user has set, but for the spans of messages."""
_READ: Final = (
    "app",
    "tracer",
    "meter",
    "duration_histogram_new",
    "exclude_receive_span",
    "exclude_send_span",
    *SETTINGS,
)


class UnexpectedShape(Exception):
    """The published package is of a version whose middleware is not where it was, or not as it was."""


def find_middleware(stack: object) -> OpenTelemetryMiddleware | None:
    """The published middleware among the applications of a stack, each of which has the next one as `.app`."""
    return next((layer for layer in find_layers(stack) if isinstance(layer, OpenTelemetryMiddleware)), None)


def find_layers(stack: object) -> Iterator[object]:
    """An application and those behind it, each of which the one before has as `.app`."""
    for _ in range(_MAX_DEPTH):
        if stack is None:
            return
        yield stack
        stack = getattr(stack, "app", None)


@dataclass(frozen=True, slots=True)
class PublishedMiddleware:
    """What is read from the published middleware.

    Attributes:
        app: the application behind it.
        tracer: makes the spans, in the scope of the published package.
        duration: `http.server.request.duration`, in the same scope.
        is_excluded: whether a URL is neither traced nor counted; None if no URL is excluded.
        request_hook: called with the span and the scope of each request.
        request_headers: the patterns of the headers of requests that spans have.
        response_headers: those of responses.
        sanitize: blackens the values of headers.
        traces_messages: whether each message has a span, which only the published middleware makes.
    """

    app: ASGIApp
    tracer: Tracer
    duration: Histogram
    is_excluded: Callable[[str], bool] | None
    request_hook: Callable[[Span, Scope], None] | None
    request_headers: list[str]
    response_headers: list[str]
    sanitize: Any
    traces_messages: bool

    @classmethod
    def find(cls, stack: object) -> Self:
        """Read the published middleware of a stack.

        Raises:
            UnexpectedShape: there is none, or it has not the attributes that are read here.
        """
        middleware: Any = find_middleware(stack)
        if middleware is None:
            raise UnexpectedShape("its middleware is not in the stack of the application")
        if missing := [name for name in _READ if not hasattr(middleware, name)]:
            raise UnexpectedShape(f"its middleware has no {', '.join(missing)}")
        return cls(
            app=middleware.app,
            tracer=middleware.tracer,
            duration=middleware.duration_histogram_new or _duration(middleware.meter),
            is_excluded=_exclusion(middleware.excluded_urls),
            request_hook=middleware.server_request_hook,
            request_headers=middleware.http_capture_headers_server_request or [],
            response_headers=middleware.http_capture_headers_server_response or [],
            sanitize=middleware.http_capture_headers_sanitize_fields.sanitize_header_values,
            traces_messages=not (middleware.exclude_receive_span and middleware.exclude_send_span),
        )


def _duration(meter: Any) -> Histogram:
    """The histogram of the stable conventions, which the package does not make while it speaks the old ones."""
    histogram: Histogram = meter.create_histogram(
        semconv.HTTP_SERVER_DURATION, unit="s", description="Duration of HTTP server requests."
    )
    return histogram


def _exclusion(excluded: Any) -> Callable[[str], bool] | None:
    """None for an empty list: then no URL needs to be put together. (If it does not say what is in it, it is asked.)"""
    is_excluded: Callable[[str], bool] | None = getattr(excluded, "url_disabled", None)
    return is_excluded if getattr(excluded, "_excluded_urls", True) else None
