"""The lifecycle of this process: starting, ready or stopping."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Literal

from telemetry.error_text import CheckFailed

Phase = Literal["starting", "ready", "stopping"]
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Lifecycle:
    """The phase of a process: ready once it is marked so, and stopping as soon as `is_running` is false."""

    def __init__(self, is_running: Callable[[], bool] = lambda: True) -> None:
        self._is_running = is_running
        self._ready = False

    def mark_ready(self) -> None:
        """Enter the phase `ready`, unless the process is stopping."""
        self._ready = True

    @property
    def phase(self) -> Phase:
        if not self._is_running():
            return "stopping"
        return "ready" if self._ready else "starting"

    def check(self) -> None:
        """A health check.

        Raises:
            CheckFailed: the process is starting or stopping, and is not to be given work.
        """
        if self.phase != "ready":
            raise CheckFailed(self.phase)


@contextmanager
def stopping_on_signals(stop: Callable[[], None], numbers: Iterable[signal.Signals] = STOP_SIGNALS) -> Iterator[None]:
    """Call `stop` the moment that SIGTERM or SIGINT arrives, then the previous handler.

    A server acts on the signals later, after its open requests. Outside the main thread this does nothing.

    Args:
        stop: called by a signal handler, so it must not take a lock: that can deadlock.
        numbers: the signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    restore = [_chain_handler(stop, number) for number in numbers]
    try:
        yield
    finally:
        for undo in restore:
            undo()


def _chain_handler(stop: Callable[[], None], number: signal.Signals) -> Callable[[], None]:
    """Put a handler before the current one; return a function that undoes it.

    A signal without a Python handler is left alone: it ends the process at once, or is ignored.
    """
    previous = signal.getsignal(number)
    if not callable(previous):
        return lambda: None

    def handle(received: int, frame: FrameType | None) -> None:
        stop()
        previous(received, frame)

    def undo() -> None:
        if signal.getsignal(number) is handle:
            signal.signal(number, previous)

    signal.signal(number, handle)
    return undo
