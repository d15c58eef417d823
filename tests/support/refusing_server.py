"""All external services on loopback: rejects every request, and repeats its path and headers in the response."""

import http.server
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_STATUSES: Final = {"/wb": 401, "/ozon": 403, "/openai": 401, "/telegram": 401, "/hook": 500}


class RefusingServer:
    """The received requests: their `bodies`, and the number of `calls` by the first part of the path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[str] = []
        self.calls: dict[str, int] = {}


@contextmanager
def refusing_server() -> Generator[RefusingServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refuser) as server:
        server.daemon_threads = True
        server.record = RefusingServer(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.record  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join(5)


class _Refuser(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _refuse(self) -> None:
        record: RefusingServer = self.server.record  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        service = "/" + self.path.split("/")[1]
        record.bodies.append(body)
        record.calls[service] = record.calls.get(service, 0) + 1
        echo = f"you came to {self.path} with {dict(self.headers.items())}"
        error = {
            "/openai": {"error": {"message": f"Incorrect API key: {echo}", "code": "invalid_api_key", "type": "x"}},
            "/telegram": {"ok": False, "error_code": 401, "description": f"Unauthorized: {echo}"},
        }.get(service, {"detail": echo, "message": echo, "errorText": echo, "code": 16})
        content = json.dumps(error).encode()
        self.send_response(_STATUSES.get(service, 404))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.send_header("set-cookie", f"session={self.headers.get('authorization', 'none')}")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _refuse  # noqa: N815  # the base class calls them so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """No log."""
