"""Sleeps between outgoing calls: visible in the span of the caller, counted, and ended early when the service stops."""

import time
from collections.abc import Callable

from opentelemetry import trace

from service.integrations.http.throttle import Wait
from service.shutdown import ShutdownRequested, StopSignal

OnWaited = Callable[[str, str, float], None]
"""Takes the service, the reason, and the seconds."""


def ignore(_service: str, _reason: str, _seconds: float) -> None:
    """An `OnWaited` that does nothing."""


class InstrumentedSleep:
    """Makes the sleep of each called service.

    Args:
        stop_signal: ends a sleep early.
        on_waited: called after each sleep, with the seconds that it took.
        on_wait: called before each sleep, with the seconds that it will take.
    """

    def __init__(self, stop_signal: StopSignal, on_waited: OnWaited, on_wait: OnWaited = ignore) -> None:
        self._stop_signal = stop_signal
        self._on_waited = on_waited
        self._on_wait = on_wait

    def for_service(self, service: str) -> Wait:
        """A sleep that raises `ShutdownRequested` as soon as the stop signal is set: the caller is in the middle of nothing."""

        def wait(seconds: float, reason: str) -> None:
            trace.get_current_span().add_event("wait", {"service": service, "reason": reason, "seconds": seconds})
            self._on_wait(service, reason, seconds)
            started = time.monotonic()
            is_running = self._stop_signal.wait(seconds)
            self._on_waited(service, reason, seconds if is_running else time.monotonic() - started)
            if not is_running:
                raise ShutdownRequested(f"the service stops while this waits for {service}")

        return wait

    def until_answered(self) -> "InstrumentedSleep":
        """The same for requests, which the stop signal does not end: the server answers them before it stops."""
        return InstrumentedSleep(StopSignal(), self._on_waited, self._on_wait)
