"""A proxy: an address of a database that comes, goes, and falls silent."""

import selectors
import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL

_POLL: Final = 0.05


class Proxy(socketserver.ThreadingTCPServer):
    """TCP on loopback to a PostgreSQL's unix socket. While it is `silent` it accepts, and passes nothing on."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = True

    def __init__(self, port: int, target: URL, *, silent: bool = False) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.target = Path(str(target.query["host"])) / ".s.PGSQL.5432"
        self.silent = silent
        self.over = threading.Event()


def behind(url: URL, port: int) -> str:
    """The database's URL, by way of a proxy at that port."""
    return url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)


@contextmanager
def proxy(port: int, target: URL, *, silent: bool = False) -> Generator[Proxy]:
    with Proxy(port, target, silent=silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join(5)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        with socket.socket(socket.AF_UNIX) as database, selectors.DefaultSelector() as waiting:
            database.connect(str(server.target))
            waiting.register(self.request, selectors.EVENT_READ, database)
            waiting.register(database, selectors.EVENT_READ, self.request)
            while not server.over.is_set():
                if server.silent:
                    server.over.wait(_POLL)
                elif not all(_passed_on(key.fileobj, key.data) for key, _ in waiting.select(_POLL)):
                    return


def _passed_on(source: Any, target: socket.socket) -> bool:
    """Whether there is more to come."""
    try:
        received = source.recv(65536)
        target.sendall(received)
    except OSError:
        return False
    return bool(received)
