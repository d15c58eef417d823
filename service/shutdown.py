"""Cancelling a thread: what it does is ended by an exception in it, at the next line of Python that it comes to."""

import asyncio
import ctypes
import threading


class ShutdownRequested(asyncio.CancelledError):
    """The service stops: a job is cancelled, and is recorded as that."""

    def __init__(self, sentence: str = "the service stops") -> None:
        super().__init__(sentence)


def cancel_thread(thread: threading.Thread) -> bool:
    """Raise `ShutdownRequested` in the thread. A call that is not Python's is waited for by it first. Whether there was such a thread."""
    if thread.ident is None or not thread.is_alive():
        return False
    raised = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(ShutdownRequested)
    )
    return bool(raised)


class StopSignal:
    """Whether the service was told to stop."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def tell(self) -> None:
        self._told.set()

    def goes_on(self) -> bool:
        return not self._told.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait. False as soon as the service is told to stop: what waits for its turn is in the middle of nothing."""
        return not self._told.wait(seconds)
