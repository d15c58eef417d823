"""Reads pages in threads of the console's own: a page that waits holds no thread that requests of the service need."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from opentelemetry import context

from telemetry.metrics.switch_interval import short_switch_interval
from telemetry.processes import forks
from telemetry.sdk.trace_suppression import suppressed_context
from telemetry.threads.daemon_executor import DaemonExecutor

DEADLINE: Final = 10.0
_THREADS: Final = 4
_MAX_WAITING: Final = 16
T = TypeVar("T")


class TooBusy(Exception):
    """503: as many pages are being read as may be."""


class TooLate(Exception):
    """504: a page was not read within its deadline."""


class PageThreads(forks.ForkAware):
    """Runs functions in a few threads, each within a deadline in seconds."""

    def __init__(self, deadline: float = DEADLINE, threads: int = _THREADS) -> None:
        self._deadline = deadline
        self._number = threads
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._threads = DaemonExecutor(self._number, "console")
        self._running = 0

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function, and wait for its result.

        Raises:
            TooBusy: too many run or wait.
            TooLate: it has not ended in time. Its thread goes on until it does.
        """
        if self._running >= self._number + _MAX_WAITING:
            raise TooBusy
        future = asyncio.get_running_loop().run_in_executor(self._threads, _untraced, function)
        self._running += 1
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._deadline)
        except TimeoutError:
            raise TooLate from None

    def _done(self, future: "asyncio.Future[T]") -> None:
        self._running -= 1
        if not future.cancelled():
            future.exception()  # it is nobody's any more, if its page was too late


def _untraced(function: Callable[[], T]) -> T:
    token = context.attach(suppressed_context())
    try:
        with short_switch_interval():  # requests of the service go before
            return function()
    finally:
        context.detach(token)
