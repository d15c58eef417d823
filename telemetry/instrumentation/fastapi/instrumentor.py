"""HTTP server instrumentation: `http.server.request.duration`, `http.server.active_requests` and a span per request.

OpenTelemetry's semantic conventions for HTTP servers, as the FastAPI instrumentation of opentelemetry-python-contrib follows
them, but true and cheap: the duration ends with the answer's last byte, not with the background tasks; the route is read where
the router left it, instead of matching every route a second time; a request is counted before its last byte leaves, so that
whoever got an answer finds it counted; and it costs a fraction (`make bench`).
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
from telemetry.instrumentation.fastapi.request import (
    HEADER_GETTER,
    UNMATCHED_ROUTE,
    Message,
    Scope,
    Send,
    ServerInstruments,
    ServerRequest,
)
from telemetry.instrumentation.fastapi.route_template import RouteResolver

Receive = Callable[[], Awaitable[Message]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

# FastAPI leaves a request alone in whose scope this is: so do the applications that are mounted.
_FASTAPI_TELEMETRY: Final = "fastapi.telemetry"
_INSTRUMENTED: Final = "_is_instrumented_by_opentelemetry"  # contrib's own mark: neither instruments after the other


class HTTPServerMiddleware:
    """The outermost layer: it sees what the client sees. `untraced` paths are counted, and get no span."""

    def __init__(
        self, app: ASGIApp, instruments: ServerInstruments, routes: RouteResolver, untraced: frozenset[str]
    ) -> None:
        self._app = app
        self._instruments = instruments
        self._routes = routes
        self._untraced = untraced
        self._propagated = frozenset(field.lower().encode("latin-1") for field in propagate.get_global_textmap().fields)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_FASTAPI_TELEMETRY] = None
        exchange = ServerRequest(scope, send, self._instruments, self._routes)
        token = self._trace(exchange) if scope["path"] not in self._untraced else None
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as error:
            exchange.crashed(error)
            raise
        finally:
            exchange.over()
            if token is not None:
                otel_context.detach(token)

    @failsafe
    def _trace(self, exchange: ServerRequest) -> Token[Context]:
        return otel_context.attach(exchange.trace(self._parent(exchange.scope)))

    def _parent(self, scope: Scope) -> Context:
        """What the caller propagated; most callers propagate nothing, and then nothing is parsed.

        Never what this task happens to run in: a server may start a request in the context of the one before it.
        """
        for name, _ in scope["headers"]:
            if name in self._propagated:
                return propagate.extract(scope, UNMATCHED_ROUTE, getter=HEADER_GETTER)
        return UNMATCHED_ROUTE


def instrument_app(app: FastAPI, instruments: ServerInstruments, untraced: Iterable[str] = ()) -> None:
    """Wrap the application's whole stack, error pages included. Before its first request (its lifespan will do), once."""
    if getattr(app, _INSTRUMENTED, False):
        return
    original = app.build_middleware_stack
    routes = RouteResolver(app)
    unseen = frozenset(untraced)

    def build(_self: FastAPI) -> ASGIApp:
        return HTTPServerMiddleware(original(), instruments, routes, unseen)

    app.build_middleware_stack = MethodType(build, app)  # type: ignore[method-assign]
    if app.middleware_stack is not None:
        app.middleware_stack = app.build_middleware_stack()
    _disable_fastapi_telemetry(app)
    setattr(app, _INSTRUMENTED, True)


def _disable_fastapi_telemetry(app: FastAPI) -> None:
    """FastAPI measures itself as soon as there are global providers, and everything would be there twice.

    Its constructor takes `telemetry={…}`; afterwards there is no public way. See `_FASTAPI_TELEMETRY` for what is mounted.
    """
    if isinstance(config := getattr(app, "_telemetry", None), dict):
        config.update(tracing=False, metrics=False, logs=False)
