"""Waiting: for the next call out, as long as the service runs, and seen while it lasts."""

import asyncio
import threading
from collections.abc import Callable

from opentelemetry import trace

from service.marketplaces.http import Wait

Waited = Callable[[str, str, float], None]
"""Takes the service, the reason, and the seconds."""


class Stopped(asyncio.CancelledError):
    """The service stops: a job that waits is cancelled, and is recorded as that."""


class Waiting:
    def __init__(self, stopping: threading.Event, waited: Waited) -> None:
        self._stopping = stopping
        self._waited = waited

    def of(self, service: str) -> Wait:
        def wait(seconds: float, reason: str) -> None:
            trace.get_current_span().add_event("wait", {"service": service, "reason": reason, "seconds": seconds})
            stopped = self._stopping.wait(seconds)
            self._waited(service, reason, seconds)
            if stopped:
                raise Stopped(f"The service stops; it was waiting for {service}.")

        return wait
