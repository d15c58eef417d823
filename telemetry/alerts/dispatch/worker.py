"""The background work of alerts: one thread writes counted repeats to the outbox, another one runs the dispatcher."""

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
"""Seconds between two rounds of each thread."""
FINAL_FLUSH_SECONDS: Final = 2.0
"""Seconds that a process spends at most on pending alerts when it ends."""


class DispatchWorker:
    """Repeats are written every quarter of a second, however long a message takes: a process that is killed loses no more.

    `count_pending` returns how many alerts could be sent.
    """

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
        self._saving = PeriodicTask(self.save, DISPATCH_INTERVAL, "Saving alerts")
        self._sending = PeriodicTask(self.send, DISPATCH_INTERVAL, "Sending alerts")
        self._is_saved = True  # as far as the last round of saving knows
        self._next_step = 0.0

    def start(self) -> None:
        self._next_step = time.monotonic() + DISPATCH_INTERVAL
        self._saving.start()
        self._sending.start()

    def shutdown(self, deadline: float) -> bool:
        """Stop, and send what is pending within `deadline` seconds. Returns whether no alert is only in memory."""
        self._sending.stop()
        self._saving.stop()
        failsafe(self._final_flush)(time.monotonic() + min(deadline, FINAL_FLUSH_SECONDS))
        failsafe(self._dispatcher.release)()
        return not self._deduplicator.unsaved

    def save(self) -> None:
        """Write the counted repeats, and what could not be written before.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be written.
        """
        try:
            self._deduplicator.flush()
        except (sqlite3.Error, OSError):
            self._is_saved = False
            raise
        self._is_saved = True

    def send(self) -> None:
        """Run a step of the dispatcher when one is due; while the outbox cannot be written, send without it.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used.
        """
        if not self._is_saved:
            self._send_without_outbox()
            return
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
