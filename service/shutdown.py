"""The stop signal of the service, and the cancellation of threads that do not heed it."""

import asyncio
import ctypes
import threading
import time
from contextlib import suppress


class ShutdownRequested(asyncio.CancelledError):
    """The service stops. A job that this ends is recorded as cancelled."""

    def __init__(self, sentence: str = "the service stops") -> None:
        super().__init__(sentence)


def cancel_thread(thread: threading.Thread) -> bool:
    """Raise `ShutdownRequested` in the thread, at the next line of Python that it executes.

    A call into C, such as a wait for a lock, is not interrupted: the thread ends it first.

    Returns:
        Whether the thread was alive.
    """
    if thread.ident is None or not thread.is_alive():
        return False
    raised = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(ShutdownRequested)
    )
    return bool(raised)


def _longest_wait() -> float:
    """Of the main thread a second: a signal just before a wait does not interrupt it, and is handled after it."""
    return 1.0 if threading.current_thread() is threading.main_thread() else threading.TIMEOUT_MAX


class StopSignal:
    """Whether the process was told to stop. One for everything that has to know: scheduler, jobs, waits, monitor.

    `set` takes no lock, so that a signal handler may call it whatever it interrupts; `threading.Event.set` can
    deadlock there. It only releases locks, one for each thread that waits. A forked child has a copy of the state.
    """

    def __init__(self) -> None:
        self._set_at: float | None = None
        self._waiters: list[threading.Lock] = []

    @property
    def set_at(self) -> float | None:
        """When the signal was set first, as `time.monotonic()`."""
        return self._set_at

    def set(self) -> None:
        """Tell everybody to stop, and end all waits. More than once is harmless: the first time counts."""
        if self._set_at is None:
            self._set_at = time.monotonic()
        for waiter in tuple(self._waiters):
            with suppress(RuntimeError):  # released already
                waiter.release()

    def is_running(self) -> bool:
        return self._set_at is None

    def wait(self, seconds: float) -> bool:
        """Wait for so many seconds, or until the signal is set. Returns whether the process goes on."""
        waiter = threading.Lock()
        waiter.acquire()  # `set` releases it
        self._waiters.append(waiter)  # before the check: whoever sets the signal after that sees this waiter
        try:
            end = time.monotonic() + seconds
            while self.is_running() and (left := end - time.monotonic()) > 0:
                if waiter.acquire(timeout=min(left, _longest_wait())):
                    break
        finally:
            self._waiters.remove(waiter)
        return self.is_running()
