"""Echo: an outside world on loopback that refuses whatever it is asked, and says again what it was asked with."""

import http.server
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_STATUSES: Final = {"/wb": 401, "/ozon": 403, "/openai": 401, "/telegram": 401, "/hook": 500}


class Echo:
    """`told` is what was sent to it as bodies: what a person would read. `called` counts the calls by the first part of the path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: list[str] = []
        self.called: dict[str, int] = {}


@contextmanager
def echo() -> Generator[Echo]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refuser) as server:
        server.daemon_threads = True
        server.echo = Echo(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.echo  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join(5)


class _Refuser(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _refuse(self) -> None:
        echo: Echo = self.server.echo  # type: ignore[attr-defined]
        asked = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        who = "/" + self.path.split("/")[1]
        echo.told.append(asked)
        echo.called[who] = echo.called.get(who, 0) + 1
        heard = f"you came to {self.path} with {dict(self.headers.items())}"
        said = {
            "/openai": {"error": {"message": f"Incorrect API key: {heard}", "code": "invalid_api_key", "type": "x"}},
            "/telegram": {"ok": False, "error_code": 401, "description": f"Unauthorized: {heard}"},
        }.get(who, {"detail": heard, "message": heard, "errorText": heard, "code": 16})
        body = json.dumps(said).encode()
        self.send_response(_STATUSES.get(who, 404))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("set-cookie", f"session={self.headers.get('authorization', 'none')}")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _refuse  # noqa: N815  # the base class calls them so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Nothing: the test says what it saw."""
