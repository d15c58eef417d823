"""Renews the heartbeats of this process's runs, and marks runs of dead processes as lost.

A run is lost if its heartbeat is older than `STALE_AFTER`, by the clock of the database. Only a process that reached the
database without interruption for that long may decide so. After an outage, or after a pause of this process, the other
processes therefore have the same time to renew their heartbeats.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from telemetry.jobs.liveness.overdue_stacks import OverdueStacks
from telemetry.jobs.store.running_runs import LostRun, RunningRuns

HEARTBEAT_INTERVAL: Final = 5.0  # seconds
STALE_AFTER: Final = timedelta(seconds=50)
MAX_LISTENING_GAP: Final = timedelta(seconds=15)
"""A longer time between two successful rounds interrupts the listening window."""


class ListeningWindow:
    """Measures for how long this process has reached the database without interruption."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._last: datetime | None = None

    def extend(self, now: datetime) -> timedelta:
        """Note that the database was reached at this time. Returns how long the window is now.

        The window starts anew after a gap of more than `MAX_LISTENING_GAP`, and when the clock was set back.
        """
        if self._since is None or self._last is None or not timedelta(0) <= now - self._last <= MAX_LISTENING_GAP:
            self._since = now
        self._last = now
        return now - self._since

    def reset(self) -> None:
        """Note that the database was not reached: the next `extend` starts a new window."""
        self._last = None


class Heartbeat:
    """One round of heartbeats for all running runs of this process.

    Args of the constructor: `own_runs` returns the ids of the open runs of this process, `other_runs` those of other living
    processes on this machine, as their spools show them; `time_left` how long those of this process may go on that have a
    deadline. `stacks` keeps those of overdue runs.
    """

    def __init__(
        self,
        running_runs: RunningRuns,
        own_runs: Callable[[], list[str]],
        other_runs: Callable[[], Iterable[str]],
        time_left: Callable[[], Mapping[str, timedelta]] = dict,
        stacks: OverdueStacks | None = None,
    ) -> None:
        self._running_runs = running_runs
        self._own_runs = own_runs
        self._other_runs = other_runs
        self._time_left = time_left
        self._stacks = stacks
        self._window = ListeningWindow()

    def run_once(self) -> list[LostRun]:
        """Renew the heartbeats and mark stale runs of dead processes as lost.

        Returns:
            The runs that this call marked as lost.

        Raises:
            Exception: the database is unavailable.
        """
        try:
            own_runs = self._own_runs()
            self._save_stacks()
            self._running_runs.heartbeat(own_runs, self._time_left())
            now = self._running_runs.now()
            if self._window.extend(now) < STALE_AFTER:
                return []
            return self._mark_stale_lost(now - STALE_AFTER)
        except BaseException:
            self._window.reset()
            raise

    def _save_stacks(self) -> None:
        """Before the heartbeat, which is what shows that the run is overdue: its stack is then in its row."""
        if (stacks := self._stacks) is None:
            return
        for run_id, stack in stacks.unsaved().items():
            if self._running_runs.save_stack(run_id, stack):
                stacks.saved(run_id)

    def _mark_stale_lost(self, before: datetime) -> list[LostRun]:
        stale = self._running_runs.stale(before)
        if not stale:
            return []
        known = {*self._own_runs(), *self._other_runs()}
        return self._running_runs.mark_lost([run_id for run_id in stale if run_id not in known], before)
