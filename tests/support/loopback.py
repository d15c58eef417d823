"""A scripted HTTP server on loopback: its responses, good and broken ones, and the requests that it received."""

import http.server
import json
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

MAX_WAIT_SECONDS = 20.0  # the longest that a response hangs
TRICKLE_INTERVAL = 0.02
FLOOD_INTERVAL = 0.0002


@dataclass
class ReceivedRequest:
    method: str
    path: str
    query: dict
    headers: dict
    body: object


class Loopback(http.server.ThreadingHTTPServer):
    """Responds with `script(request)`, or with the enqueued responses in order, then with 418."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests = []
        self.script = None
        self.released = threading.Event()
        self._responses = deque()
        self._lock = threading.Lock()

    def enqueue(self, *responses):
        self._responses.extend(responses)

    def response_to(self, request):
        with self._lock:
            self.requests.append(request)
            if self.script:
                return self.script(request)
            return self._responses.popleft() if self._responses else response("the script has ended", status=418)

    @property
    def paths(self):
        return [request.path for request in self.requests]

    @property
    def queries(self):
        return [request.query for request in self.requests]

    def handle_error(self, _request, _client_address):
        """Clients hang up on purpose."""


@contextmanager
def loopback():
    """Serve until the block ends; what hangs by then is released."""
    with Loopback() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield server
        server.released.set()
        server.shutdown()
        serving.join(5)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Loopback
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(sent) if sent else None
        query = dict(parse_qsl(parts.query))
        self.server.response_to(ReceivedRequest(self.command, parts.path, query, headers, body))(self)

    do_POST = do_PATCH = do_GET  # noqa: N815  # the names that http.server looks for

    def write(self, *pieces):
        """Write pieces with a pause after each, until the client is gone."""
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            if self.server.released.wait(TRICKLE_INTERVAL):
                return

    def log_message(self, *_arguments):
        """No log."""


def response(body="", status=200, **headers):
    """A well-formed response: a text, bytes, or JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()

    def send(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if status != 204:
            handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return send


def raw_response(*pieces, hangs=False):
    """A response as raw bytes, after which the connection is cut, or hangs."""

    def send(handler):
        handler.close_connection = True
        handler.write(*pieces)
        if hangs:
            handler.server.released.wait(MAX_WAIT_SECONDS)

    return send


def endless_response(handler):
    """A response without an end or a pause."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not handler.server.released.wait(FLOOD_INTERVAL):
        handler.wfile.write(b"x" * 2**16)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CUT = raw_response(HEAD + b"Content-Length: 1000\r\n\r\n[{", hangs=False)
HUNG_UP = raw_response()
SILENT = raw_response(hangs=True)
STALLED = raw_response(HEAD + b"Content-Length: 1000\r\n\r\n[", hangs=True)
TRICKLING = raw_response(HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 1000)
TRICKLING_HEAD = raw_response(HEAD, *[b"x-%d: y\r\n" % number for number in range(1000)])
