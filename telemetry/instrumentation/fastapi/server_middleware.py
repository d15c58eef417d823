"""The outermost middleware: it measures what the client sees, and leaves to the published one what that alone does."""

from collections.abc import Awaitable, Callable
from time import thread_time
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import metrics
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from telemetry.costs.account import this_thread
from telemetry.costs.measured_steps import ENDED, as_coroutine_function, further_steps
from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi import websocket
from telemetry.instrumentation.fastapi.headers import url
from telemetry.instrumentation.fastapi.measuring import RequestMeasuring
from telemetry.instrumentation.fastapi.published import ASGIApp, Receive, Scope, Send
from telemetry.instrumentation.fastapi.server_request import ServerRequest

# With this key in a request's scope, FastAPI and mounted applications do not measure the request themselves.
_FASTAPI_TELEMETRY: Final = "fastapi.telemetry"
_MEASURED: Final = "telemetry.measured"


class HTTPServerMiddleware:
    """Measures each HTTP request once, however many of the applications that it passes through are instrumented.

    What is left to the published middleware: the spans of WebSockets, requests whose instrumentation is suppressed, and all
    requests where each message is to have a span.
    """

    def __init__(self, published_stack: ASGIApp, measuring: RequestMeasuring) -> None:
        self.app = published_stack  # by this name others find the published middleware
        self._inner = as_coroutine_function(measuring.published.app)
        self._is_excluded = measuring.published.is_excluded
        self._measuring = measuring
        self._traces_messages = measuring.published.traces_messages
        self._untraced_paths, self._untraced_beginnings = measuring.untraced_paths, measuring.untraced_beginnings

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """No coroutine function: each would be one more frame of a request."""
        if (other := self._other(scope)) is not None:
            return other(scope, receive, send)
        return self._serve(scope, receive, send)

    async def _serve(  # noqa: C901, PLR0912, PLR0915  # a call more costs more
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """A request, charged with its CPU time from here on. Most requests end in their first step."""
        charge = this_thread.charge
        outer, now = charge.account, thread_time()
        if outer is not None:
            outer.add(now - charge.since)
            charge.since = now
        request = ServerRequest(self._measuring, scope, receive, send)
        request.thread_charge, request.outer = charge, outer
        charge.account, charge.since = request, now
        token = None
        try:
            scope[_MEASURED] = scope[_FASTAPI_TELEMETRY] = None
            path = scope["path"]
            if path not in self._untraced_paths and not path.startswith(self._untraced_beginnings):
                token = request.start()
            inner = self._inner(scope, request.receive if request.connection is None else receive, request.pass_on)
            steps = inner.__await__()
            if (awaited := next(steps, ENDED)) is not ENDED:
                await further_steps(request, steps, awaited)
        except Exception as error:
            request.fail(error)
            raise
        finally:
            if request.is_open or request.span is not None:
                request.end()
            scope.pop(_MEASURED, None)
            scope.pop(_FASTAPI_TELEMETRY, None)
            if token is not None:
                otel_context.detach(token)
            charge, now = request.thread_charge, thread_time()
            request.total.cpu_seconds += now - charge.since
            charge.account, charge.since = request.outer, now

    def _other(self, scope: Scope) -> ASGIApp | None:
        """Who answers a request that is not measured here; None for one that is."""
        if _MEASURED in scope or (_FASTAPI_TELEMETRY in scope and self._is_measured_by_fastapi(scope)):
            return self._inner
        if (
            scope["type"] != "http"
            or self._traces_messages
            or (otel_context.get_current() and not is_http_instrumentation_enabled())
        ):
            return self._uncommon(scope)
        return self._excluded if self._is_excluded is not None and _asked(self._is_excluded, scope) else None

    def _uncommon(self, scope: Scope) -> ASGIApp:
        if scope["type"] == "lifespan":
            return self.app
        is_excluded = self._is_excluded is not None and _asked(self._is_excluded, scope)
        if scope["type"] != "websocket" or is_excluded or not is_http_instrumentation_enabled():
            return self._left_to_published
        return self._websocket

    def _is_measured_by_fastapi(self, scope: Scope) -> bool:
        """Whether an application around this one measures the request, by FastAPI's own telemetry and the same provider."""
        return scope[_FASTAPI_TELEMETRY] is not None and metrics.get_meter_provider() is self._measuring.provider

    async def _left_to_published(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _once(self.app, scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await websocket.serve(
            self._left_to_published, self._measuring.routes, self._measuring.provider, (scope, receive, send)
        )

    async def _excluded(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _once(self._inner, scope, receive, send)


async def _once(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an application so that no mounted one measures the request."""
    scope[_MEASURED] = scope[_FASTAPI_TELEMETRY] = None
    try:
        await app(scope, receive, send)
    finally:
        scope.pop(_MEASURED, None)
        scope.pop(_FASTAPI_TELEMETRY, None)


@failsafe
def _asked(is_excluded: Callable[[str], bool], scope: Scope) -> bool:
    return is_excluded(url(scope))
