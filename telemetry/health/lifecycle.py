"""Lifecycle: whether this process is starting, ready or stopping."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from telemetry.error_text import CheckFailed

Phase = Literal["starting", "ready", "stopping"]


class Lifecycle:
    """Ready once it is told so, and stopping as soon as `is_running` is false, whether it was ready or not."""

    def __init__(self, is_running: Callable[[], bool] = lambda: True) -> None:
        self._is_running = is_running
        self._ready = False

    def ready(self) -> None:
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
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` the moment that SIGTERM or SIGINT arrives, and then the handler that was installed before.

    A server handles the signal later, when its requests are answered. Outside the main thread this does nothing.

    Args:
        stop: called by a signal handler, so it must not take a lock: that can deadlock.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    restore = [_chain_handler(stop, number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        yield
    finally:
        for undo in restore:
            undo()


def _chain_handler(stop: Callable[[], None], number: signal.Signals) -> Callable[[], None]:
    """A signal that nobody handles is left alone: it ends the process at once, or is ignored."""
    then = signal.getsignal(number)
    if not callable(then):
        return lambda: None

    def handle(received: int, frame: FrameType | None) -> None:
        stop()
        then(received, frame)

    def undo() -> None:
        if signal.getsignal(number) is handle:
            signal.signal(number, then)

    signal.signal(number, handle)
    return undo
