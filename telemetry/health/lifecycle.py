"""The lifecycle of this process: starting, ready or stopping."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from telemetry.error_text import CheckFailed

Phase = Literal["starting", "ready", "stopping"]


class Lifecycle:
    """The phase of a process. It takes no lock, since a signal handler sets it, and one that takes a lock can deadlock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready = False
        self.stopping_since: float | None = None

    def mark_ready(self) -> None:
        """Enter the phase `ready`, unless the process is stopping."""
        self._ready = True

    def mark_stopping(self) -> None:
        """Enter the phase `stopping`; only the first call counts."""
        if self.stopping_since is None:
            self.stopping_since = self._clock()

    @property
    def phase(self) -> Phase:
        if self.stopping_since is not None:
            return "stopping"
        return "ready" if self._ready else "starting"

    def check(self) -> None:
        """A health check that fails unless the process is ready.

        Raises:
            CheckFailed: the process is starting or stopping.
        """
        if self.phase != "ready":
            raise CheckFailed(self.phase)


@contextmanager
def stopping_on_signals(lifecycle: Lifecycle) -> Iterator[None]:
    """Mark the process as stopping on SIGTERM and SIGINT, then call the previous handler.

    A server acts on the signals later, after its open requests. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    restore = [_chain_handler(lifecycle.mark_stopping, number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        yield
    finally:
        for undo in restore:
            undo()


def _chain_handler(mark_stopping: Callable[[], None], number: signal.Signals) -> Callable[[], None]:
    """Put a handler before the current one; return a function that undoes it.

    A signal without a Python handler is left alone: it ends the process at once, or is ignored.
    """
    previous = signal.getsignal(number)
    if not callable(previous):
        return lambda: None

    def handle(received: int, frame: FrameType | None) -> None:
        mark_stopping()
        previous(received, frame)

    def undo() -> None:
        if signal.getsignal(number) is handle:
            signal.signal(number, previous)

    signal.signal(number, handle)
    return undo
