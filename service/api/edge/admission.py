"""Bounds the requests that use a worker thread, and how long they wait for their turn.

Starlette has 40 worker threads, and requests would wait for one without a deadline. The capacities here are fewer in sum.
Probes and `/metrics` use none of these threads.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi import Depends, Request

from service.errors import RETRY_AFTER, Problem

ADMISSION_TIMEOUT: Final = 2.0
MAX_WAITING: Final = 200


class NotAdmitted(Problem):
    """503: no turn became free in time."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = RETRY_AFTER

    def __init__(self, capacity: int) -> None:
        super().__init__(f"The service is busy: {capacity} requests of this kind are being answered. Try again later.")


class Admission:
    """Admits so many requests at once. The others wait for at most `ADMISSION_TIMEOUT` seconds, `MAX_WAITING` of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._slots = asyncio.Semaphore(capacity)
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncGenerator[None]:
        """Raises:
        NotAdmitted: no turn became free in time, or too many requests wait.
        """
        await self._acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def _acquire(self) -> None:
        if self._slots.locked() and self._waiting >= MAX_WAITING:
            raise NotAdmitted(self.capacity)
        self._waiting += 1
        try:
            async with asyncio.timeout(ADMISSION_TIMEOUT):
                await self._slots.acquire()
        except TimeoutError:
            raise NotAdmitted(self.capacity) from None
        finally:
            self._waiting -= 1


@dataclass(frozen=True, slots=True)
class Admissions:
    """One for each kind of request, so that a kind that hangs keeps no other waiting.

    Attributes:
        queries: reads of the database. Fewer than its connections: the rest is for actions.
        actions: what waits for external services.
        alerts: reads of the outbox, which is not in the database.
    """

    queries: Admission = field(default_factory=lambda: Admission(10))
    actions: Admission = field(default_factory=lambda: Admission(10))
    alerts: Admission = field(default_factory=lambda: Admission(5))


def _dependency(kind: str) -> Callable[[Request], AsyncGenerator[None]]:
    async def admit(request: Request) -> AsyncGenerator[None]:
        admission: Admission = getattr(request.app.state.admissions, kind)
        async with admission.admitted():
            yield

    return admit


admit_query: Final = _dependency("queries")
admit_action: Final = _dependency("actions")
admit_alerts: Final = _dependency("alerts")
ADMISSION_CHECKS: Final = (admit_query, admit_action, admit_alerts)


def admission(check: Callable[[Request], Any]) -> Any:
    """The dependency of a route. The turn ends before the response is sent: a slow client does not keep it."""
    return Depends(check, scope="function")
