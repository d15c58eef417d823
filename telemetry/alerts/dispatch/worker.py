"""The background worker of alerts: writes counted repeats to the outbox and runs the dispatcher."""

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
"""Seconds between two rounds of the worker."""
FINAL_FLUSH_SECONDS: Final = 2.0
"""Seconds that a process spends at most on pending alerts when it ends."""


class DispatchWorker:
    """Runs in a thread of its own. `count_pending` returns how many alerts could be sent."""

    def __init__(
        self,
        deduplicator: Deduplicator,
        dispatcher: Dispatcher,
        fallback: FallbackNotifier,
        count_pending: Callable[[], int],
    ) -> None:
        self._deduplicator = deduplicator
        self._dispatcher = dispatcher
        self._fallback = fallback
        self._count_pending = count_pending
        self._task = PeriodicTask(self.run_once, DISPATCH_INTERVAL, "Telling alerts")
        self._next_step = 0.0

    def start(self) -> None:
        self._next_step = time.monotonic() + DISPATCH_INTERVAL
        self._task.start()

    def shutdown(self, deadline: float) -> bool:
        """Stop, and send what is pending within `deadline` seconds. Returns whether no alert is only in memory."""
        self._task.stop()
        failsafe(self._final_flush)(time.monotonic() + min(deadline, FINAL_FLUSH_SECONDS))
        failsafe(self._dispatcher.release)()
        return not self._deduplicator.unsaved

    def run_once(self) -> None:
        """Write the counted repeats, then run a step of the dispatcher when one is due.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used.
        """
        try:
            self._deduplicator.flush()
        except (sqlite3.Error, OSError):
            self._send_without_outbox()
            raise
        self._fallback.outbox_recovered()
        if time.monotonic() >= self._next_step:
            pause = self._step()
            self._next_step = time.monotonic() + pause

    def _send_without_outbox(self) -> None:
        if self._deduplicator.unsaved and self._fallback.outbox_failed():
            taken = self._deduplicator.drain_unsaved()
            if channel := self._fallback.send(taken):
                self._deduplicator.keep_notified(taken, channel)
            else:
                self._deduplicator.restore_unsaved(taken)

    def _step(self) -> float:
        token = notifying.set(True)
        try:
            return self._dispatcher.step()
        finally:
            notifying.reset(token)

    def _final_flush(self, end: float) -> None:
        self._deduplicator.flush()
        while self._count_pending():
            pause = self._step()
            if time.monotonic() + pause >= end:
                return
            time.sleep(pause)
