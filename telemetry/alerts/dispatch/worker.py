"""DispatchWorker: a process's part in it: what it has counted goes to the outbox, and what is due there goes out."""

import sqlite3
import time
from collections.abc import Callable
from typing import Final

from telemetry.alerts.dispatch.dispatcher import Dispatcher
from telemetry.alerts.dispatch.fallback import FallbackNotifier
from telemetry.alerts.intake.deduplicator import Deduplicator
from telemetry.alerts.intake.exporter import notifying
from telemetry.failsafe import failsafe
from telemetry.periodic import PeriodicTask

DISPATCH_INTERVAL: Final = 0.25
"""Seconds between two looks."""
FINAL_FLUSH_SECONDS: Final = 2.0
"""Seconds that a process which ends takes at the most for what still waits."""


class DispatchWorker:
    """`waiting` says how many alerts could be sent."""

    def __init__(
        self, desk: Deduplicator, dispatcher: Dispatcher, emergency: FallbackNotifier, waiting: Callable[[], int]
    ) -> None:
        self._desk = desk
        self._dispatcher = dispatcher
        self._emergency = emergency
        self._waiting = waiting
        self._rounds = PeriodicTask(self.round, DISPATCH_INTERVAL, "Telling alerts")
        self._next_step = 0.0

    def start(self) -> None:
        self._next_step = time.monotonic() + DISPATCH_INTERVAL
        self._rounds.start()

    def shutdown(self, deadline: float) -> bool:
        """Whether nothing is left that is only in memory."""
        self._rounds.stop()
        failsafe(self._last_words)(time.monotonic() + min(deadline, FINAL_FLUSH_SECONDS))
        failsafe(self._dispatcher.release)()
        return not self._desk.unsaved

    def round(self) -> None:
        """What it raises is the disk's."""
        try:
            self._desk.flush()
        except (sqlite3.Error, OSError):
            self._without_disk()
            raise
        self._emergency.over()
        if time.monotonic() >= self._next_step:
            pause = self._step()
            self._next_step = time.monotonic() + pause

    def _without_disk(self) -> None:
        if self._desk.unsaved and self._emergency.is_due():
            taken = self._desk.drain_unsaved()
            if not self._emergency.tell(taken):
                self._desk.restore_unsaved(taken)

    def _step(self) -> float:
        token = notifying.set(True)
        try:
            return self._dispatcher.step()
        finally:
            notifying.reset(token)

    def _last_words(self, end: float) -> None:
        self._desk.flush()
        while self._waiting():
            pause = self._step()
            if time.monotonic() + pause >= end:
                return
            time.sleep(pause)
