"""Ends a worker whose parent process has ended, such as by `kill -9`: orphaned workers keep the port, and no start is possible."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Final, Self

POLL_SECONDS: Final = 1.0
END_SECONDS: Final = 4.0
"""Seconds after which an orphaned worker is gone, in order or not."""
_REQUESTS_SECONDS: Final = 1.5
"""Seconds that the server has for its open requests. A server may wait for them without end."""
_log = logging.getLogger(__name__)


class ParentWatch:
    """A context manager for the time in which a worker serves. It does nothing in a process that is no worker.

    A worker is a process that another one spawned by `multiprocessing`. A single process whose shell or `init` ends goes on.
    """

    def __init__(self, on_orphaned: Callable[[], None], stop: Callable[[], object]) -> None:
        """Create the watch.

        Args:
            on_orphaned: called before the worker is told to stop.
            stop: stops the application when the server does not do it in time; called a second time, it waits for the first.
        """
        self._on_orphaned = on_orphaned
        self._stop = stop
        self._finished = threading.Event()
        self._parent_pid = os.getppid()

    def __enter__(self) -> Self:
        if (parent := multiprocessing.parent_process()) is not None:
            threading.Thread(target=self._run, args=(parent,), name="parent-watch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._finished.set()

    def _run(self, parent: BaseProcess) -> None:
        while not self._finished.is_set():
            parent.join(POLL_SECONDS)  # a pipe that the parent's end closes; forked siblings may hold it open
            if not parent.is_alive() or os.getppid() != self._parent_pid:
                self._end(parent.pid)
                return

    def _end(self, parent: int | None) -> None:
        """Stop like on SIGTERM. If the server or the application hangs, end the process nevertheless."""
        deadline = time.monotonic() + END_SECONDS
        _log.warning("The parent process %s has ended (killed?). Its worker %s stops.", parent, os.getpid())
        self._on_orphaned()
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._finished.wait(_REQUESTS_SECONDS):
            threading.Thread(target=self._stop, name="orphan-stop", daemon=True).start()
        time.sleep(max(0.0, deadline - time.monotonic()))  # a process that ends in order ends this thread
        os._exit(1)
