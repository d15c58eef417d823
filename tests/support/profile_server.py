"""A strict server of Pyroscope on loopback: it takes pushed profiles, keeps them, and refuses everything else."""

import gzip
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

PUSH: Final = "/push.v1.PusherService/Push"
CONTENT_TYPE: Final = "application/proto"


class ProfileServer:
    """`received` are the profiles as they came, `refused` what was wrong with other requests."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.received: list[bytes] = []
        self.refused: list[str] = []
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                wrong = _what_is_wrong(self.path, self.headers["content-type"])
                if wrong:
                    server.refused.append(wrong)
                else:
                    server.received.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
                if hangs:
                    server.released.wait(60)
                self.send_response(HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.OK)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def _what_is_wrong(path: str, content_type: str) -> str:
    if path != PUSH:
        return f"the path {path}"
    return "" if content_type == CONTENT_TYPE else f"the content type {content_type}"
