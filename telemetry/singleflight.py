"""Call: a call in a daemon thread of its own, one at a time, whose landing everybody shares.

A call that hangs keeps its one thread, and whoever waits for it chooses for how long. No thread pool is used: hung
requests may have taken all of it.
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
    """`started` is a moment of the clock, in seconds; `landing` cannot be cancelled."""

    started: float
    landing: Future[T]


class SingleFlight(Generic[T]):
    """All flights of one call."""

    def __init__(
        self, name: str, call: Callable[[], T], *, share_for: float = SHARE_SECONDS, clock: Clock = time.monotonic
    ) -> None:
        self._name = name
        self._call = call
        self._share_for = share_for
        self._clock = clock
        self._lock = threading.Lock()
        self._last: Call[T] | None = None

    def board(self) -> Call[T]:
        """The one that is in the air, or took off less than `share_for` seconds ago; else a new one. Never waits."""
        with self._lock:
            if self._last is None or self._is_stale(self._last):
                self._last = self._take_off()
            return self._last

    def _is_stale(self, flight: Call[T]) -> bool:
        return flight.landing.done() and self._clock() - flight.started >= self._share_for

    def _take_off(self) -> Call[T]:
        flight: Call[T] = Call(self._clock(), Future())
        flight.landing.set_running_or_notify_cancel()
        try:
            threading.Thread(target=self._fly, args=(flight.landing,), name=self._name, daemon=True).start()
        except RuntimeError as error:  # the machine gives no more threads
            flight.landing.set_exception(error)
        return flight

    def _fly(self, landing: Future[T]) -> None:
        context.attach(suppressed_context())
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001  # the edge of the thread: whoever waits is told
            landing.set_exception(error)
        else:
            landing.set_result(result)
