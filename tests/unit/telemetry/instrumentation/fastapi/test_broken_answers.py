"""An answer that a client did not get is not counted as the one that it began as."""

import asyncio
import socket
import threading
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.requests import ClientDisconnect

SERVERS = ["httptools", "h11"]
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"", "more_body": False}


def begin(status=200, **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": named}


def part(body, *, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


def says(*messages, error=None):
    """An application that sends these messages, and raises or returns."""

    async def app(_scope, _receive, send):
        for message in messages:
            await send(dict(message))
        if error is not None:
            raise error

    return app


def mount(answering, signals):
    app = FastAPI()
    app.mount("/a", answering)
    signals.instrument(app)
    return app


def request(url, method="GET", path="/a/x"):
    """Everything that the server writes until it closes the connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nhost: service\r\nconnection: close\r\n\r\n".encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def counted(signals):
    """Status, type of error, and how often."""
    data = signals.page and signals.series("http_requests_total")
    return {status: number for (_endpoint, _method, status), number in data.items()}


BROKEN = {
    "a header with a line break": says(begin(x="a\r\nb: c"), END),
    "a header of a control character": says(begin(x="a\x00"), END),
    "a name of a header with a blank": says(begin(**{"a b": "c"}), END),
    "a status of 99": says(begin(99), END),
    "a status of 1000": says(begin(1000), END),
    "a status of -1": says(begin(-1), END),
    "a status that is a word": says(begin("200"), END),
    "a raise in mid-stream": says(START, part(b"one", more=True), error=ValueError("no such luck")),
    "a raise before the body": says(START, error=ValueError("no such luck")),
    "a body that is too short": says(begin(content_length="10"), part(b"short")),
    "a body that is too short in pieces": says(begin(content_length="10"), part(b"one", more=True), part(b"two")),
    "a body that is too long": says(begin(content_length="3"), part(b"too long")),
    "a body that is too long in pieces": says(begin(content_length="5"), part(b"one", more=True), part(b"two")),
    "no body where one was declared": says(begin(content_length="3"), END),
    "an end that never comes": says(START, part(b"one", more=True)),
    "a body that never comes": says(START),
    "no answer at all": says(),
    "a body before its head": says(part(b"x")),
    "a cancellation": says(START, error=asyncio.CancelledError()),
}


@pytest.mark.parametrize("http", SERVERS)
@pytest.mark.parametrize("answering", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_is_an_error(signals, serve, http, answering):
    with serve(mount(answering, signals), http=http) as url:
        request(url)

    assert counted(signals) == {"500": 1}
    assert signals.series("http_requests_in_progress") == {("GET",): 0}
    assert signals.span().attributes["http.response.status_code"] == 500


WHOLE = {
    "with its length": (says(begin(content_length="3"), part(b"one")), "200"),
    "with its length in pieces": (says(begin(content_length="6"), part(b"one", more=True), part(b"two")), "200"),
    "with its length in capitals": (says(begin(Content_Length="3"), part(b"one")), "200"),
    "with its length in zeros": (says(begin(content_length="003"), part(b"one")), "200"),
    "in chunks": (says(begin(transfer_encoding="chunked"), part(b"one", more=True), part(b"two")), "200"),
    "without a length": (says(START, part(b"one")), "200"),
    "empty": (says(begin(204)), "204"),
    "not modified": (says(begin(304), END), "304"),
    "with a body of a buffer": (says(begin(content_length="3"), part(memoryview(b"one"))), "200"),
    "refused": (says(begin(404, content_length="2"), part(b"no")), "404"),
    "whole, with a raise after it": (says(begin(content_length="3"), part(b"one"), error=ValueError("late")), "200"),
    "a crash before it": (says(error=ValueError("no such luck")), "500"),
}


@pytest.mark.parametrize("answering", [WHOLE[name] for name in WHOLE if name != "empty"])
def test_a_whole_answer_is_counted_by_its_status(signals, serve, answering):
    app, status = answering
    with serve(mount(app, signals)) as url:
        request(url)

    assert counted(signals) == {status: 1}


@pytest.mark.parametrize("length", ["3", "0", "70000"])
def test_an_answer_to_head_has_the_length_that_a_body_would_have(signals, serve, length):
    with serve(mount(says(begin(content_length=length), END), signals)) as url:
        request(url, "HEAD")

    assert counted(signals) == {"200": 1}


def test_responses_of_the_framework_are_whole(signals, serve, tmp_path):
    app = FastAPI()
    (tmp_path / "file").write_bytes(b"x" * 200_000)

    @app.get("/a/text")
    def text() -> PlainTextResponse:
        return PlainTextResponse("text")

    @app.get("/a/file")
    def file() -> FileResponse:
        return FileResponse(tmp_path / "file")

    @app.get("/a/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"one", b"two"]))

    @app.get("/a/json", response_model=dict)
    def json():
        return {"one": "é"}

    signals.instrument(app)
    paths = ["/a/text", "/a/file", "/a/stream", "/a/json"]
    with serve(app) as url:
        for path in paths:
            request(url, path=path)

    assert signals.requests() == {(path, "GET", "200"): 1 for path in paths}


@pytest.mark.parametrize("http", SERVERS)
@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "one body"])
def test_a_client_that_leaves_before_it_has_the_answer_is_499(signals, serve, http, is_stream):
    arrived, gone, ended = threading.Event(), threading.Event(), threading.Event()

    async def slow(_scope, receive, send):
        try:
            arrived.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            await send(begin())
            await send(part(b"one", more=is_stream))
        finally:
            ended.set()

    with serve(mount(slow, signals), http=http) as url:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(b"GET /a/x HTTP/1.1\r\nhost: service\r\n\r\n")
            assert arrived.wait(10)
        assert gone.wait(10)
        assert ended.wait(10)

    assert counted(signals) == {"499": 1}
    assert signals.span().attributes["error.type"] == "client_disconnected"


@pytest.mark.parametrize("error", [None, ClientDisconnect()], ids=["returns", "raises"])
def test_a_client_that_leaves_is_seen_by_the_messages_of_a_server_that_says_it_no_other_way(signals, error):
    async def answering(_scope, receive, send):
        await send(begin())
        if (await receive())["type"] == "http.disconnect" and error is not None:
            raise error

    async def receive():
        return {"type": "http.disconnect"}

    async def send(_message): ...

    scope = {"type": "http", "method": "GET", "path": "/a/x", "headers": [], "query_string": b""}
    app = mount(answering, signals)
    try:
        asyncio.run(app(scope, receive, send))
    except ClientDisconnect:
        assert error is not None

    assert counted(signals) == {"499": 1}


@pytest.mark.parametrize("disconnected", [asyncio.Event(), None, lambda: False, 0, "no"])
def test_an_object_that_means_something_else_by_that_name_says_nothing_of_a_client(signals, disconnected):
    class Other:
        def __init__(self):
            self.disconnected = disconnected

        async def send(self, _message): ...

    scope = {"type": "http", "method": "GET", "path": "/a/x", "headers": [], "query_string": b""}
    asyncio.run(mount(says(START, END), signals)(scope, None, Other().send))

    assert counted(signals) == {"200": 1}


@pytest.mark.parametrize("status", [99, 600, 1000, 10**30, True, "200"])
def test_a_status_that_http_does_not_have_is_no_label(signals, status):
    async def send(_message): ...

    scope = {"type": "http", "method": "GET", "path": "/a/x", "headers": [], "query_string": b""}
    asyncio.run(mount(says(begin(status), END), signals)(scope, None, send))

    assert counted(signals) == {"500": 1}
