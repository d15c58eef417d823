"""HTTP server instrumentation: `http.server.request.duration`, `http.server.active_requests` and a span per request.

It follows OpenTelemetry's semantic conventions for HTTP servers, as the FastAPI instrumentation of opentelemetry-python-contrib
does, with these differences:

- The duration ends with the response's last byte, not with the background tasks.
- The route is read from the ASGI scope, instead of matching every route a second time.
- A request is counted before its last byte is sent, so a client that has its response finds it counted.
- It costs a fraction (`make bench`).
"""

from collections.abc import Awaitable, Callable, Iterable
from contextvars import Token
from types import MethodType
from typing import Final

from fastapi import FastAPI
from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry.context import Context

from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi.route_template import RouteResolver
from telemetry.instrumentation.fastapi.server_request import (
    EMPTY_CONTEXT,
    HEADER_GETTER,
    Message,
    Scope,
    Send,
    ServerInstruments,
    ServerRequest,
)

Receive = Callable[[], Awaitable[Message]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# With this key in a request's scope, FastAPI and mounted applications do not measure the request themselves.
_FASTAPI_TELEMETRY: Final = "fastapi.telemetry"
_INSTRUMENTED: Final = (
    "_is_instrumented_by_opentelemetry"  # contrib's own mark, so that only one of the two instruments an application
)


class HTTPServerMiddleware:
    """The outermost middleware: it measures what the client sees. Requests to `untraced_paths` are counted, without a span."""

    def __init__(
        self, app: ASGIApp, instruments: ServerInstruments, routes: RouteResolver, untraced_paths: frozenset[str]
    ) -> None:
        self._app = app
        self._instruments = instruments
        self._routes = routes
        self._untraced_paths = untraced_paths
        self._propagated = frozenset(field.lower().encode("latin-1") for field in propagate.get_global_textmap().fields)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_FASTAPI_TELEMETRY] = None
        request = ServerRequest(scope, send, self._instruments, self._routes)
        token = self._trace(request) if scope["path"] not in self._untraced_paths else None
        try:
            await self._app(scope, receive, request.send)
        except Exception as error:
            request.fail(error)
            raise
        finally:
            request.end()
            if token is not None:
                otel_context.detach(token)

    @failsafe
    def _trace(self, request: ServerRequest) -> Token[Context]:
        return otel_context.attach(request.start_span(self._parent(request.scope)))

    def _parent(self, scope: Scope) -> Context:
        """The trace context of the request's headers, or an empty one.

        Never the current context: a server may start a request in the context of the previous one.
        """
        for name, _ in scope["headers"]:
            if name in self._propagated:
                return propagate.extract(scope, EMPTY_CONTEXT, getter=HEADER_GETTER)
        return EMPTY_CONTEXT


def instrument_app(app: FastAPI, instruments: ServerInstruments, untraced_paths: Iterable[str] = ()) -> None:
    """Wrap the application's whole stack, error handlers included. Idempotent.

    Args:
        app: instrumented from its next request on; call this before the first one (in the lifespan at the latest).
        instruments: what to record on.
        untraced_paths: paths whose requests are counted, without a span.
    """
    if getattr(app, _INSTRUMENTED, False):
        return
    original = app.build_middleware_stack
    routes = RouteResolver(app)
    paths = frozenset(untraced_paths)

    def build(_self: FastAPI) -> ASGIApp:
        return HTTPServerMiddleware(original(), instruments, routes, paths)

    app.build_middleware_stack = MethodType(build, app)  # type: ignore[method-assign]
    if app.middleware_stack is not None:
        app.middleware_stack = app.build_middleware_stack()
    _disable_fastapi_telemetry(app)
    setattr(app, _INSTRUMENTED, True)


def _disable_fastapi_telemetry(app: FastAPI) -> None:
    """Switch FastAPI's own telemetry off: with global providers it would measure each request a second time.

    Its constructor takes `telemetry={…}`; afterwards there is no public way. `_FASTAPI_TELEMETRY` covers mounted applications.
    """
    if isinstance(config := getattr(app, "_telemetry", None), dict):
        config.update(tracing=False, metrics=False, logs=False)
