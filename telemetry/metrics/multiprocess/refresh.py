"""Asking: workers ask each other for a fresh snapshot, by a socket in their directory. All at once, and with a deadline."""

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MAX_PATH_BYTES: Final = 100  # of about 108 that an address may have
_BACKLOG: Final = 64
_POLL: Final = 0.2
_SLOW: Final = 1.0
_DONE: Final = b"1"


@contextmanager
def _address(path: Path) -> Generator[str]:
    """A path that fits into an address, however deep the directory is."""
    if len(str(path)) <= _MAX_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class RefreshServer:
    """Calls `renew` for whoever asks, in a thread of its own; those who ask meanwhile are answered together."""

    def __init__(self, path: Path, renew: Callable[[], object]) -> None:
        self._renew = renew
        self._stop = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(path) as address:
            self._socket.bind(address)
        path.chmod(0o600)
        self._socket.listen(_BACKLOG)
        self._socket.settimeout(_POLL)
        self._path = path
        self._thread = threading.Thread(target=self._run, name="metrics-answers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if asking := _connected(self._path):  # so that whoever waits for somebody to ask goes on
            asking.close()
        if self._thread.is_alive():
            self._thread.join(_SLOW)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            waiting = self._waiting()
            if waiting and not self._stop.is_set():
                self._renew()
            for asker in waiting:
                with asker, suppress(OSError):
                    asker.send(_DONE)

    def _waiting(self) -> list[socket.socket]:
        """Everybody who has asked by now; waits a little for the first one."""
        found: list[socket.socket] = []
        try:
            found.append(self._socket.accept()[0])
            self._socket.setblocking(False)
            while True:
                found.append(self._socket.accept()[0])
        except (TimeoutError, BlockingIOError):  # nobody, or nobody else
            pass
        except OSError:  # no descriptor is free: at once, and again and again
            self._stop.wait(_POLL)
        finally:
            self._socket.settimeout(_POLL)
        return found


class PendingRefresh:
    """Those who were asked and have not answered yet."""

    def __init__(self, asked: Iterable[socket.socket]) -> None:
        self._selector = selectors.DefaultSelector()
        self._began = time.monotonic()
        for each in asked:
            self._selector.register(each, selectors.EVENT_READ, each)

    def wait(self, deadline: float) -> int:
        """Until all have answered, or the deadline, in seconds from the asking on. How many have not."""
        while (left := self._began + deadline - time.monotonic()) > 0 and self._selector.get_map():
            for key, _ in self._selector.select(left):
                self._over(key.data)
        silent = [key.data for key in self._selector.get_map().values()]
        for each in silent:
            self._over(each)
        self._selector.close()
        return len(silent)

    def _over(self, asked: socket.socket) -> None:
        self._selector.unregister(asked)
        asked.close()


def request_refresh(paths: Iterable[Path]) -> PendingRefresh:
    """Ask those whose sockets these are. One that cannot be asked at once is as one that does not answer."""
    return PendingRefresh(asked for path in paths if (asked := _connected(path)))


def _connected(path: Path) -> socket.socket | None:
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asking.setblocking(False)
    try:
        with _address(path) as address:
            asking.connect(address)
    except OSError:
        asking.close()
        return None
    return asking
