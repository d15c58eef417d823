"""Heartbeat: the runs of this process say that they are alive; of those that have long said nothing, it is decided that they are not.

A run is silent for `SILENCE` by the clock of the database before it counts as lost, and whoever decides that has itself been able
to listen all that time: after an outage, or after it was stopped itself, everybody has as long to speak again.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from telemetry.jobs.store.running_runs import LostRun, RunningRuns

HEARTBEAT_INTERVAL: Final = 5.0  # seconds
STALE_AFTER: Final = timedelta(seconds=50)
MAX_LISTENING_GAP: Final = timedelta(seconds=15)
"""A longer time between two looks is one in which nothing was heard."""


class ListeningWindow:
    """For how long somebody has listened without a break, by the clock that is given."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._last: datetime | None = None

    def extend(self, now: datetime) -> timedelta:
        if self._since is None or self._last is None or not timedelta(0) <= now - self._last <= MAX_LISTENING_GAP:
            self._since = now
        self._last = now
        return now - self._since

    def reset(self) -> None:
        self._last = None


class Heartbeat:
    """`own` gives the ids of the runs of this process that are open, `others` those of its neighbours that are there."""

    def __init__(
        self, running_runs: RunningRuns, own_runs: Callable[[], list[str]], other_runs: Callable[[], Iterable[str]]
    ) -> None:
        self._running_runs = running_runs
        self._own_runs = own_runs
        self._other_runs = other_runs
        self._window = ListeningWindow()

    def run_once(self) -> list[LostRun]:
        """Returns the runs of which this has decided that they are lost.

        Raises:
            Exception: the database is away.
        """
        try:
            own_runs = self._own_runs()
            self._running_runs.heartbeat(own_runs)
            now = self._running_runs.now()
            if self._window.extend(now) < STALE_AFTER:
                return []
            return self._mark_stale_lost(now - STALE_AFTER)
        except BaseException:
            self._window.reset()
            raise

    def _mark_stale_lost(self, before: datetime) -> list[LostRun]:
        stale = self._running_runs.stale(before)
        if not stale:
            return []
        known = {*self._own_runs(), *self._other_runs()}
        return self._running_runs.mark_lost([run_id for run_id in stale if run_id not in known], before)
