"""The refresh protocol: workers request fresh snapshots from each other by Unix sockets, all at once, with a deadline."""

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MAX_PATH_BYTES: Final = 100  # of the 108 or so that a socket's address may have
_BACKLOG: Final = 64
_POLL_SECONDS: Final = 0.2
_STOP_TIMEOUT: Final = 1.0
_REPLY: Final = b"1"


@contextmanager
def _address(path: Path) -> Generator[str]:
    """A path that fits into a socket's address, however deep the directory is."""
    if len(str(path)) <= _MAX_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class RefreshServer:
    """Calls `refresh` for each request, in a thread of its own; requests that arrive meanwhile share one call."""

    def __init__(self, path: Path, refresh: Callable[[], object]) -> None:
        self._refresh = refresh
        self._stop = threading.Event()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with suppress(OSError):  # the directory cannot be written now; `reopen` may be called later
            self.reopen()
        self._thread = threading.Thread(target=self._run, name="metrics-answers", daemon=True)

    def is_open(self) -> bool:
        """Whether other workers find the socket."""
        return self._path.exists()

    def reopen(self) -> None:
        """Open another socket at the path, where there is none.

        Raises:
            OSError: the directory is missing or cannot be written.
        """
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(self._path) as address:
                opened.bind(address)
            self._path.chmod(0o600)
            opened.listen(_BACKLOG)
            opened.settimeout(_POLL_SECONDS)
        except BaseException:
            opened.close()
            raise
        former, self._socket = self._socket, opened
        former.close()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, close the socket and remove its file."""
        self._stop.set()
        if connection := _connect(self._path):  # wakes the thread that waits in `accept`
            connection.close()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Close the socket in a forked child; the parent goes on with it."""
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            clients = self._accept_all()
            if clients and not self._stop.is_set():
                self._refresh()
            for client in clients:
                with client, suppress(OSError):
                    client.send(_REPLY)

    def _accept_all(self) -> list[socket.socket]:
        """Accept every connection that is there; wait up to `_POLL_SECONDS` for the first one."""
        accepted: list[socket.socket] = []
        try:
            accepted.append(self._socket.accept()[0])
            self._socket.setblocking(False)
            while True:
                accepted.append(self._socket.accept()[0])
        except (TimeoutError, BlockingIOError):  # no client, or no other one
            pass
        except OSError:  # no file descriptor is free: `accept` would fail again at once
            self._stop.wait(_POLL_SECONDS)
        finally:
            self._socket.settimeout(_POLL_SECONDS)
        return accepted


class PendingRefresh:
    """The requests that have no reply yet."""

    def __init__(self, requests: Iterable[socket.socket]) -> None:
        self._selector = selectors.DefaultSelector()
        self._started = time.monotonic()
        for request in requests:
            self._selector.register(request, selectors.EVENT_READ, request)

    def wait(self, timeout: float) -> int:
        """Wait until all workers have replied, at most `timeout` seconds after the requests were sent.

        Returns:
            The number of workers that have not replied.
        """
        while (left := self._started + timeout - time.monotonic()) > 0 and self._selector.get_map():
            for key, _ in self._selector.select(left):
                self._close(key.data)
        unanswered = [key.data for key in self._selector.get_map().values()]
        for request in unanswered:
            self._close(request)
        self._selector.close()
        return len(unanswered)

    def _close(self, request: socket.socket) -> None:
        self._selector.unregister(request)
        request.close()


def request_refresh(paths: Iterable[Path]) -> PendingRefresh:
    """Request a refresh from the workers with these sockets. Skips a worker that does not accept at once."""
    return PendingRefresh(connection for path in paths if (connection := _connect(path)))


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        with _address(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        return None
    return connection
