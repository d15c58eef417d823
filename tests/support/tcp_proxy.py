"""A TCP proxy in front of PostgreSQL that tests start, stop and mute."""

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


class TcpProxy(socketserver.ThreadingTCPServer):
    """Forwards TCP on loopback to the Unix socket of PostgreSQL. While `silent`, it accepts connections and forwards nothing."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = True

    def __init__(self, port: int, target: URL, *, silent: bool = False) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.target = Path(str(target.query["host"])) / ".s.PGSQL.5432"
        self.silent = silent
        self.stopped = threading.Event()


def proxied_url(url: URL, port: int) -> str:
    """The database's URL through a proxy at a port."""
    return url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)


@contextmanager
def tcp_proxy(port: int, target: URL, *, silent: bool = False) -> Generator[TcpProxy]:
    with TcpProxy(port, target, silent=silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL})
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join(5)


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        with socket.socket(socket.AF_UNIX) as database, selectors.DefaultSelector() as selector:
            database.connect(str(server.target))
            selector.register(self.request, selectors.EVENT_READ, database)
            selector.register(database, selectors.EVENT_READ, self.request)
            while not server.stopped.is_set():
                if server.silent:
                    server.stopped.wait(_POLL)
                elif not all(_forward(key.fileobj, key.data) for key, _ in selector.select(_POLL)):
                    return


def _forward(source: Any, target: socket.socket) -> bool:
    """Forward what was received. Returns False at the end of the connection."""
    try:
        received = source.recv(65536)
        target.sendall(received)
    except OSError:
        return False
    return bool(received)
