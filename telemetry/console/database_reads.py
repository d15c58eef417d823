"""Reads the application's database in threads of their own: one that hangs takes a part from a page, and no page."""

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from telemetry.processes import forks
from telemetry.threads.daemon_executor import DaemonExecutor

DEADLINE: Final = 3.0
LATE_DEADLINE: Final = 0.5
"""While another read is late: the database hangs, and a page has several parts."""
MAX_READS: Final = 4
T = TypeVar("T")


class NoAnswer(Exception):
    """The database has not answered in time, or so many reads wait for it that no other is begun."""


class DatabaseReads(forks.ForkAware):
    """For all consoles of a process. Any thread may call it."""

    def __init__(self) -> None:
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._guard = threading.RLock()
        self._threads = DaemonExecutor(MAX_READS, "console-database")
        self._running = self._late = 0

    def read(self, function: Callable[[], T]) -> T:
        """Call a function, and wait for its result.

        Raises:
            NoAnswer: it has not ended in time. Its thread goes on until it does.
        """
        with self._guard:
            if self._running >= MAX_READS:
                raise NoAnswer("the database does not answer")
            future = self._threads.submit(contextvars.copy_context().run, function)
            self._running += 1
            deadline = LATE_DEADLINE if self._late else DEADLINE
        future.add_done_callback(self._ended)
        try:
            return future.result(deadline)
        except TimeoutError:
            if not self._is_late(future):
                raise
            raise NoAnswer(f"the database has not answered within {deadline:g} seconds") from None

    def _ended(self, _future: "Future[Any]") -> None:
        with self._guard:
            self._running -= 1

    def _is_late(self, future: "Future[Any]") -> bool:
        """False if the function itself has raised the error."""
        if future.done():
            return future.exception() is None
        with self._guard:
            self._late += 1
        future.add_done_callback(self._late_ended)
        return True

    def _late_ended(self, _future: "Future[Any]") -> None:
        with self._guard:
            self._late -= 1


DATABASE_READS: Final = DatabaseReads()
