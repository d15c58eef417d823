"""WebSocket connections: how many end in which way, how long they last, and how many there are.

OpenTelemetry has no conventions for their metrics. Their spans are those of the published middleware.
"""

import threading
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Self
from weakref import WeakKeyDictionary

from opentelemetry.metrics import Histogram, MeterProvider, UpDownCounter

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi.published import ASGIApp, Message, Receive, Scope, Send
from telemetry.instrumentation.fastapi.route_template import RouteResolver

_SCOPE: Final = "telemetry"
_LOST: Final = 1006
"""The code of a connection that ended without a closing message."""
_NO_CODE: Final = 1005
_FAILED: Final = frozenset({1002, 1003, 1007, 1009, 1010, 1011})
"""The codes by which either side says that it could not go on."""
_NORMAL: Final = 1000


@dataclass(frozen=True, slots=True)
class WebSocketInstruments:
    """The instruments of all applications that are measured with a provider."""

    duration: Histogram
    active: UpDownCounter

    @classmethod
    def create(cls, provider: MeterProvider) -> Self:
        meter = provider.get_meter(_SCOPE, schema_url=semconv.SCHEMA_URL)
        return cls(
            meter.create_histogram(semconv.WEBSOCKET_DURATION, "s", "Duration of WebSocket connections."),
            meter.create_up_down_counter(
                semconv.WEBSOCKET_ACTIVE, "{connection}", "WebSocket connections that are open."
            ),
        )


_by_provider: WeakKeyDictionary[MeterProvider, WebSocketInstruments] = WeakKeyDictionary()
_lock = threading.RLock()


def websocket_instruments(provider: MeterProvider) -> WebSocketInstruments:
    """Made when the first connection comes: an application without any has no metrics of them."""
    with _lock:
        if (known := _by_provider.get(provider)) is None:
            known = _by_provider[provider] = WebSocketInstruments.create(provider)
        return known


async def serve(
    app: ASGIApp, routes: RouteResolver, provider: MeterProvider, channel: tuple[Scope, Receive, Send]
) -> None:
    """Serve one connection by an application, and measure it. `channel` is what the server calls an application with."""
    scope, receive, send = channel
    connection = _Connection(scope, receive, send)
    measured = failsafe(_Measurement)(provider, scope)
    try:
        await app(scope, connection.receive, connection.send)
    except BaseException as error:
        connection.fail(error)
        raise
    finally:
        if measured is not None:
            measured.end(connection, routes)


class _Connection:
    """What the two sides said of a connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.root_path = scope.get("root_path", "")
        self.is_accepted = False
        self.is_refused = False
        self.code: int | None = None
        self.error = ""
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self.code is None:
            self.code = _code(message)
        return message

    async def send(self, message: Message) -> None:
        await self._send(message)  # what a server refuses was not said
        kind = message["type"]
        if kind == "websocket.accept":
            self.is_accepted = True
        elif kind == "websocket.close" and self.code is None:
            self.code, self.is_refused = message.get("code", _NORMAL), not self.is_accepted
        elif kind == "websocket.http.response.start":
            self.is_refused = True

    def fail(self, error: BaseException) -> None:
        """Note what the application raised, unless both sides have parted already."""
        if self.code is None and not self.is_refused:
            self.error = type(error).__qualname__

    @property
    def outcome(self) -> str:
        if self.is_refused:
            return semconv.WEBSOCKET_REJECTED
        if self.error or self.code in _FAILED or (self.code is None and not self.is_accepted):
            return semconv.WEBSOCKET_FAILED
        return semconv.WEBSOCKET_LOST if self.code == _LOST else semconv.WEBSOCKET_CLOSED


def _code(disconnect: Message) -> int:
    """The code of a `websocket.disconnect`. With a reason, uvicorn's 1005 is a closing message without a code; else there was none."""
    code: int = disconnect.get("code", _NORMAL)
    return _LOST if code == _NO_CODE and "reason" not in disconnect else code


class _Measurement:
    """One connection in the instruments."""

    def __init__(self, provider: MeterProvider, scope: Scope) -> None:
        self._instruments = websocket_instruments(provider)
        self._scope = scope
        self._scheme = "wss" if scope.get("scheme") == "wss" else "ws"
        self._started = perf_counter()
        self._instruments.active.add(1, {semconv.URL_SCHEME: self._scheme})

    @failsafe
    def end(self, connection: _Connection, routes: RouteResolver) -> None:
        self._instruments.active.add(-1, {semconv.URL_SCHEME: self._scheme})
        attributes = {semconv.URL_SCHEME: self._scheme, semconv.WEBSOCKET_OUTCOME: connection.outcome}
        if route := routes.resolve(self._scope, connection.root_path):
            attributes[semconv.HTTP_ROUTE] = route
        if connection.error:
            attributes[semconv.ERROR_TYPE] = connection.error
        self._instruments.duration.record(perf_counter() - self._started, attributes)
