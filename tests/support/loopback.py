"""A service on loopback, as a test scripts it: what it answers, well or badly, and what it was asked."""

import http.server
import json
import threading
from collections import deque
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

LONGEST = 20.0  # that anything here is waited for
DROP = 0.02
BREATH = 0.0002


@dataclass
class Asked:
    method: str
    path: str
    query: dict
    headers: dict
    body: object


class Loopback(http.server.ThreadingHTTPServer):
    """`will` puts answers behind those that are waiting, `script` makes one of what is asked; beyond them it refuses."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked = []
        self.script = None
        self.released = threading.Event()
        self._answers = deque()
        self._lock = threading.Lock()

    def will(self, *answers):
        self._answers.extend(answers)

    def answer_to(self, asked):
        with self._lock:
            self.asked.append(asked)
            if self.script:
                return self.script(asked)
            return self._answers.popleft() if self._answers else said("the script has ended", status=418)

    @property
    def paths(self):
        return [asked.path for asked in self.asked]

    @property
    def queries(self):
        return [asked.query for asked in self.asked]

    def handle_error(self, _request, _client_address):
        """Whoever hangs up has a reason."""


class Page(http.server.BaseHTTPRequestHandler):
    server: Loopback
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(sent) if sent else None
        answer = self.server.answer_to(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
        answer(self)

    do_POST = do_GET  # noqa: N815  # the name that http.server looks for

    def write(self, *pieces):
        """Piece by piece, with a pause after each, until whoever asked has gone."""
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            if self.server.released.wait(DROP):
                return

    def log_message(self, *_arguments):
        """Nobody reads it."""


def said(body="", status=200, **headers):
    """An answer as it should be: a text, bytes, or JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()

    def answer(page):
        page.send_response(status)
        for name, value in headers.items():
            page.send_header(name.replace("_", "-"), value)
        if status != 204:
            page.send_header("content-length", str(len(content)))
        page.end_headers()
        page.wfile.write(content)

    return answer


def written(*pieces, hangs=False):
    """An answer byte by byte, as it goes over the wire; then the connection is cut, or nothing happens any more."""

    def answer(page):
        page.close_connection = True
        page.write(*pieces)
        if hangs:
            page.server.released.wait(LONGEST)

    return answer


def flooding(page):
    """An answer that never stops, nor pauses."""
    page.close_connection = True
    page.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not page.server.released.wait(BREATH):
        page.wfile.write(b"x" * 2**16)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CUT = written(HEAD + b"Content-Length: 1000\r\n\r\n[{", hangs=False)
HUNG_UP = written()
SILENT = written(hangs=True)
STALLED = written(HEAD + b"Content-Length: 1000\r\n\r\n[", hangs=True)
TRICKLING = written(HEAD + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 1000)
TRICKLING_HEAD = written(HEAD, *[b"x-%d: y\r\n" % number for number in range(1000)])
