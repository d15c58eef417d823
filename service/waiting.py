"""Waiting: for the next call out, as long as the service runs, and seen while it lasts."""

import threading
import time
from collections.abc import Callable

from opentelemetry import trace

from service.cancelling import Stopped
from service.marketplaces.http import Wait

Waited = Callable[[str, str, float], None]
"""Takes the service, the reason, and the seconds."""


class Stopping:
    """Whether the service was told to stop, and until when what runs may go on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = threading.Event()
        self._ends = float("inf")

    def tell(self, grace: float) -> None:
        """What takes longer than `grace` seconds from now on need not go on."""
        self._ends = self._clock() + grace
        self._told.set()

    def wait(self, seconds: float) -> bool:
        """Wait. False as soon as it is clear that the wait is longer than the service runs."""
        ends = self._clock() + seconds
        if self._told.wait(seconds) is False:
            return True
        if ends > self._ends:
            return False
        threading.Event().wait(max(0.0, ends - self._clock()))
        return True


class Waiting:
    def __init__(self, stopping: Stopping, waited: Waited) -> None:
        self._stopping = stopping
        self._waited = waited

    def of(self, service: str) -> Wait:
        def wait(seconds: float, reason: str) -> None:
            trace.get_current_span().add_event("wait", {"service": service, "reason": reason, "seconds": seconds})
            went_on = self._stopping.wait(seconds)
            self._waited(service, reason, seconds)
            if not went_on:
                raise Stopped(f"the service stops while this waits for {service}")

        return wait
