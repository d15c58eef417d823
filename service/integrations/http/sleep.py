"""InstrumentedSleep: for the next call out, as long as the service runs, and seen while it lasts."""

import time
from collections.abc import Callable

from opentelemetry import trace

from service.integrations.http.throttle import Wait
from service.shutdown import ShutdownRequested, StopSignal

OnWaited = Callable[[str, str, float], None]
"""Takes the service, the reason, and the seconds."""


class InstrumentedSleep:
    def __init__(self, stopping: StopSignal, waited: OnWaited) -> None:
        self._stopping = stopping
        self._waited = waited

    def of(self, service: str) -> Wait:
        def wait(seconds: float, reason: str) -> None:
            trace.get_current_span().add_event("wait", {"service": service, "reason": reason, "seconds": seconds})
            began = time.monotonic()
            went_on = self._stopping.wait(seconds)
            self._waited(service, reason, seconds if went_on else time.monotonic() - began)
            if not went_on:
                raise ShutdownRequested(f"the service stops while this waits for {service}")

        return wait
