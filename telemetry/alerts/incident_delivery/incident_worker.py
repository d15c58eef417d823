"""The threads of incident delivery: one for each channel, so that one that is down delays no other, and one for the bookkeeping."""

import time
from collections.abc import Sequence
from typing import Final

from telemetry.alerts.dispatch.worker import DISPATCH_INTERVAL, FINAL_FLUSH_SECONDS
from telemetry.alerts.incident_delivery.incident_bookkeeping import IncidentBookkeeping
from telemetry.alerts.incident_delivery.incident_dispatcher import IncidentDispatcher
from telemetry.alerts.intake.exporter import notifying
from telemetry.alerts.outbox.file import OutboxBusy
from telemetry.failsafe import failsafe
from telemetry.periodic import PeriodicTask
from telemetry.sdk.shutdown import attempt

BOOKKEEPING_INTERVAL: Final = 1.0
_STOP_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.02


class ChannelThread:
    """Runs the steps of one channel when they are due."""

    def __init__(self, dispatcher: IncidentDispatcher) -> None:
        self.name = dispatcher.target.name
        self._dispatcher = dispatcher
        self._task = PeriodicTask(self.run, DISPATCH_INTERVAL, f"Sending incidents to {self.name}")
        self._next_step = 0.0
        self._is_ending = False
        self.is_drained = False
        """Whether a step since the beginning of the end found nothing to send."""

    def start(self) -> None:
        self._task.start()

    def run(self) -> None:
        """Run steps until there is nothing to do at once.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used. If only another thread uses it, the next round tries again.
        """
        if time.monotonic() < self._next_step and not self._is_ending:
            return
        is_ending = self._is_ending
        try:
            pause = self._step()
        except OutboxBusy:
            return
        self._next_step = time.monotonic() + pause
        self.is_drained = is_ending and self._dispatcher.is_idle

    def _step(self) -> float:
        token = notifying.set(True)
        try:
            return self._dispatcher.step()
        finally:
            notifying.reset(token)

    def begin_end(self) -> None:
        self._is_ending = True

    def stop(self, timeout: float) -> None:
        self._task.stop(timeout)
        failsafe(self._dispatcher.release)()

    def close(self) -> None:
        attempt(f"closing the channel {self.name}", self._dispatcher.target.channel.close)


class IncidentWorker:
    """Starts and stops the threads. A process that has started none sends nothing at its end either."""

    def __init__(self, dispatchers: Sequence[IncidentDispatcher], bookkeeping: IncidentBookkeeping) -> None:
        self._channels = [ChannelThread(each) for each in dispatchers]
        self._bookkeeping = PeriodicTask(bookkeeping.run, BOOKKEEPING_INTERVAL, "Keeping the record of incidents")
        self._final_bookkeeping = bookkeeping.run
        self._is_started = False

    def start(self) -> None:
        self._is_started = True
        self._bookkeeping.start()
        for channel in self._channels:
            channel.start()

    def shutdown(self, deadline: float) -> None:
        """Send what can be sent within `deadline` seconds, all channels at once, and stop."""
        end = time.monotonic() + min(deadline, FINAL_FLUSH_SECONDS)
        if self._is_started:
            for channel in self._channels:
                channel.begin_end()
            while time.monotonic() < end and not all(each.is_drained for each in self._channels):
                time.sleep(_POLL_SECONDS)
            self._bookkeeping.stop(_STOP_SECONDS)
            failsafe(self._final_bookkeeping)()
        for channel in self._channels:
            channel.stop(_STOP_SECONDS if self._is_started else 0.0)
        for channel in self._channels:
            channel.close()
