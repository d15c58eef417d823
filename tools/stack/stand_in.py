#!/usr/bin/env python3
"""Stands in for Tempo, Loki or Grafana in a container: it answers to health checks and keeps the OTLP that it receives. It is none of them.

`GET /stand-in/count?hex=0af7…` returns how many of the kept requests contain these bytes, such as a trace id. After
`GET /stand-in/respond?status=401` it refuses what it receives by this status, until it is 200 again.
"""

import gzip
import json
import os
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

PORTS: Final = {"tempo": (3200, 4318), "loki": (3100,), "grafana": (3000,)}
MAX_KEPT: Final = 64 * 2**20
MAX_BODY: Final = 16 * 2**20


class Kept:
    """The bodies of the requests. What is over the limit is counted, and not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: list[bytes] = []
        self._size = 0
        self.dropped = 0
        self.status = 200
        """Of the response to what is received."""

    def add(self, body: bytes) -> None:
        with self._lock:
            if self._size + len(body) > MAX_KEPT:
                self.dropped += 1
            else:
                self._bodies.append(body)
                self._size += len(body)

    def count(self, part: bytes) -> int:
        with self._lock:
            return sum(part in body for body in self._bodies)


KEPT: Final = Kept()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/stand-in/respond":
            KEPT.status = int(asked["status"])
            self._answer(200, {"status": KEPT.status})
        elif url.path == "/stand-in/count":
            part = bytes.fromhex(asked.get("hex", ""))
            self._answer(200, {"count": KEPT.count(part), "dropped": KEPT.dropped})
        else:
            self._answer(200, {"database": "ok", "stand_in": True})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > MAX_BODY:
            self._answer(413, {})
            return
        body = self.rfile.read(size)
        if KEPT.status != 200:  # noqa: PLR2004  # HTTP
            self._answer(KEPT.status, {})
            return
        KEPT.add(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        self._answer(200, None)

    def _answer(self, status: int, content: object) -> None:
        """An empty body is an empty response of OTLP."""
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf" if content is None else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002  # the name of the base class
        """No line for each request."""


def main() -> int:
    # The first process of a container ignores the signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    name = Path(sys.argv[0]).stem
    first, *others = PORTS[name]
    if "-health" in sys.argv:
        with urllib.request.urlopen(f"http://127.0.0.1:{first}/ready", timeout=5) as response:  # loopback
            return int(response.status != 200)  # noqa: PLR2004  # HTTP
    for argument in sys.argv[1:]:
        if argument.startswith("-config.file="):
            Path(argument.partition("=")[2]).read_bytes()
    for port in others:
        threading.Thread(target=_serve, args=(port,), daemon=True).start()
    sys.stdout.write(f"This is a stand-in for {name}, on port {first}.\n")
    sys.stdout.flush()
    _serve(first)
    return 0


def _serve(port: int) -> None:
    ThreadingHTTPServer(("", port), Handler).serve_forever()  # within a container


if __name__ == "__main__":
    sys.exit(main())
