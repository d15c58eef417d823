"""Single flight: concurrent callers share one call of a function, which runs in a daemon thread of its own.

A hanging call keeps its one thread, and each caller decides how long to wait for it. No thread pool is used: hung
requests may occupy all of it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from opentelemetry import context

from telemetry.sdk.trace_suppression import suppressed_context

SHARE_SECONDS: Final = 2.0
T = TypeVar("T")
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A call in progress or done. `started` is by the clock, in seconds; `future` cannot be cancelled."""

    started: float
    future: Future[T]


class SingleFlight(Generic[T]):
    """Calls a function at most once at a time."""

    def __init__(
        self, name: str, function: Callable[[], T], *, share_for: float = SHARE_SECONDS, clock: Clock = time.monotonic
    ) -> None:
        self._name = name
        self._function = function
        self._share_for = share_for
        self._clock = clock
        self._lock = threading.RLock()
        self._last: Call[T] | None = None

    def call(self) -> Call[T]:
        """Return the call that is running, or that started less than `share_for` seconds ago; else start one.

        Never waits, except while the interpreter ends: no thread can be started then.
        """
        with self._lock:
            if self._last is not None and not self._is_stale(self._last):
                return self._last
            call = self._last = Call(self._clock(), Future())
            call.future.set_running_or_notify_cancel()
        self._start(call.future)
        return call

    def _is_stale(self, call: Call[T]) -> bool:
        return call.future.done() and self._clock() - call.started >= self._share_for

    def _start(self, future: Future[T]) -> None:
        try:
            threading.Thread(target=self._run, args=(future,), name=self._name, daemon=True).start()
        except RuntimeError as error:
            if threading.main_thread().is_alive():  # the machine has too many threads
                future.set_exception(error)
            else:
                self._run(future)

    def _run(self, future: Future[T]) -> None:
        token = context.attach(suppressed_context())
        try:
            result = self._function()
        except BaseException as error:  # noqa: BLE001  # the edge of the thread: the waiting callers get the exception
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            context.detach(token)
