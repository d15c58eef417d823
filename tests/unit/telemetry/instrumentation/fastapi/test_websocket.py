"""WebSocket connections are counted once, by their route and by how they ended."""

import asyncio
import contextlib
import socket
import threading

import pytest
from fastapi import APIRouter, FastAPI, WebSocket, WebSocketException
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.trace import SpanKind
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


def build(signals, **options):
    app = FastAPI()
    router = APIRouter(prefix="/rooms")

    @router.websocket("/{room}")
    async def echo(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(room + text)

    @app.websocket("/reads")
    async def reads(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.receive_text()

    @app.websocket("/closes/{code}")
    async def closes(websocket: WebSocket, code: int) -> None:
        await websocket.accept()
        await websocket.close(code)

    @app.websocket("/refuses")
    async def refuses(websocket: WebSocket) -> None:
        await websocket.close(1008)

    @app.websocket("/denies")
    async def denies(websocket: WebSocket) -> None:
        raise WebSocketException(1008)

    @app.websocket("/crashes")
    async def crashes(websocket: WebSocket) -> None:
        await websocket.accept()
        raise RuntimeError("no such luck")

    @app.websocket("/crashes/early")
    async def crashes_early(websocket: WebSocket) -> None:
        raise RuntimeError("no such luck")

    @app.websocket("/returns")
    async def returns(websocket: WebSocket) -> None:
        await websocket.accept()

    @app.websocket("/forgets")
    async def forgets(websocket: WebSocket) -> None:
        pass

    app.include_router(router, prefix="/api")
    inner = FastAPI()
    inner.add_api_websocket_route("/{room}", echo)
    app.mount("/inner", inner)
    signals.instrument(app, **options)
    return app


def talk(url, path):
    """Connect, and say one thing."""
    with connect(url.replace("http", "ws", 1) + path, close_timeout=5) as client:
        client.send("hello")
        return client.recv(timeout=10)


def ended(signals):
    return signals.series("websocket_connections_total")


@pytest.mark.parametrize("ws", ["websockets-sansio"])
@pytest.mark.parametrize(
    ("path", "route", "outcome"),
    [
        ("/api/rooms/7", "/api/rooms/{room}", "closed"),
        ("/inner/7", "/inner/{room}", "closed"),
        ("/closes/1000", "/closes/{code}", "closed"),
        ("/closes/4001", "/closes/{code}", "closed"),
        ("/closes/1011", "/closes/{code}", "error"),
        ("/refuses", "/refuses", "rejected"),
        ("/denies", "/denies", "rejected"),
        ("/crashes", "/crashes", "error"),
        ("/crashes/early", "/crashes/early", "error"),
        ("/returns", "/returns", "closed"),
        ("/forgets", "/forgets", "error"),
        ("/nowhere", "unmatched", "rejected"),
    ],
)
def test_a_connection_is_counted_by_its_route_and_its_end(signals, serve, ws, path, route, outcome):
    with serve(build(signals), ws=ws) as url, contextlib.suppress(ConnectionClosed, InvalidStatus):
        talk(url, path)

    assert ended(signals) == {(route, outcome): 1}
    assert signals.series("websocket_connection_duration_seconds_count") == {(route, outcome): 1}
    assert signals.series("websocket_connections_in_progress") == {(): 0}
    assert signals.requests() == {}


def test_a_connection_whose_client_vanishes_is_lost(signals, serve):
    with (
        serve(build(signals), ws="websockets-sansio") as url,
        contextlib.suppress(ConnectionClosed),
        connect(url.replace("http", "ws", 1) + "/api/rooms/7") as client,
    ):
        client.send("hello")
        client.recv(timeout=10)
        client.socket.shutdown(socket.SHUT_RDWR)

    assert ended(signals) == {("/api/rooms/{room}", "lost"): 1}


@pytest.mark.parametrize("frame", [b"\x88\x80abcd", b"\x88\x82\0\0\0\0\x03\xe9"], ids=["without a code", "1001"])
def test_a_client_that_says_goodbye_has_closed(signals, serve, frame):
    with (
        serve(build(signals), ws="websockets-sansio") as url,
        contextlib.suppress(ConnectionClosed),
        connect(url.replace("http", "ws", 1) + "/api/rooms/7") as client,
    ):
        client.send("hello")
        client.recv(timeout=10)
        client.socket.sendall(frame)
        client.recv(timeout=10)

    assert ended(signals) == {("/api/rooms/{room}", "closed"): 1}


def test_connections_are_in_progress_while_they_are_open(signals):
    client = TestClient(build(signals))

    with client.websocket_connect("/api/rooms/1"), client.websocket_connect("/api/rooms/2"):
        open_at_once = signals.series("websocket_connections_in_progress")

    assert open_at_once == {(): 2}
    assert signals.series("websocket_connections_in_progress") == {(): 0}


def test_a_connection_has_one_span_with_its_route(signals):
    with TestClient(build(signals)).websocket_connect("/inner/7"):
        pass

    assert signals.span().kind is SpanKind.SERVER
    assert "/inner" in signals.span().name


def test_messages_with_spans_are_counted_once(signals):
    with TestClient(build(signals, exclude_spans=[])).websocket_connect("/api/rooms/7") as room:
        room.send_text("hello")
        room.receive_text()

    assert ended(signals) == {("/api/rooms/{room}", "closed"): 1}


@pytest.mark.parametrize("how", ["excluded", "suppressed"])
def test_a_connection_that_is_not_to_be_measured_is_not(signals, how):
    client = TestClient(build(signals, excluded_urls="rooms" if how == "excluded" else ""))

    async def receive():
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(_message): ...

    if how == "excluded":
        with client.websocket_connect("/api/rooms/7"):
            pass
    else:
        scope = {"type": "websocket", "path": "/nowhere", "headers": [], "query_string": b""}
        with suppress_http_instrumentation():
            asyncio.run(client.app(scope, receive, send))

    assert ended(signals) == {}


def test_a_message_that_a_server_refuses_was_not_sent(signals):
    app = FastAPI()

    async def answers(_scope, _receive, send):
        await send({"type": "websocket.accept"})

    async def refuse(_message):
        raise OSError("the client has gone")

    app.mount("/a", answers)
    signals.instrument(app)
    scope = {"type": "websocket", "path": "/a/x", "headers": [], "query_string": b""}
    with pytest.raises(OSError, match="gone"):
        asyncio.run(app(scope, None, refuse))

    assert ended(signals) == {("/a/{path}", "error"): 1}


def test_a_cancelled_connection_is_an_error_and_no_longer_in_progress(signals):
    app, entered = build(signals), threading.Event()

    async def receive():
        if entered.is_set():
            await asyncio.Event().wait()
        entered.set()
        return {"type": "websocket.connect"}

    async def send(_message): ...

    async def give_up():
        async with asyncio.timeout(0.05):
            await app({"type": "websocket", "path": "/api/rooms/7", "headers": [], "query_string": b""}, receive, send)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())

    assert ended(signals) == {("/api/rooms/{room}", "error"): 1}
    assert signals.series("websocket_connections_in_progress") == {(): 0}


def test_an_application_without_websockets_has_no_metrics_of_them(signals):
    TestClient(build(signals)).get("/nowhere")

    assert ended(signals) == {}
    assert signals.series("websocket_connections_in_progress") == {}


def test_a_disconnect_that_a_route_lets_through_is_no_error(signals):
    client = TestClient(build(signals))

    with contextlib.suppress(WebSocketDisconnect), client.websocket_connect("/reads") as reader:
        reader.close(1001)

    assert ended(signals) == {("/reads", "closed"): 1}
