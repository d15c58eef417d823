"""Heartbeat: the runs of this process say that they are alive; of those that have long said nothing, it is decided that they are not.

A run is silent for `SILENCE` by the clock of the database before it counts as lost, and whoever decides that has itself been able
to listen all that time: after an outage, or after it was stopped itself, everybody has as long to speak again.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from telemetry.jobs.store.running_runs import LostRun, RunningRuns

BEAT: Final = 5.0  # seconds
SILENCE: Final = timedelta(seconds=50)
BREAK: Final = timedelta(seconds=15)
"""A longer time between two looks is one in which nothing was heard."""


class ListeningWindow:
    """For how long somebody has listened without a break, by the clock that is given."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._last: datetime | None = None

    def look(self, now: datetime) -> timedelta:
        if self._since is None or self._last is None or not timedelta(0) <= now - self._last <= BREAK:
            self._since = now
        self._last = now
        return now - self._since

    def interrupt(self) -> None:
        self._last = None


class Heartbeat:
    """`own` gives the ids of the runs of this process that are open, `others` those of its neighbours that are there."""

    def __init__(self, alive: RunningRuns, own: Callable[[], list[str]], others: Callable[[], Iterable[str]]) -> None:
        self._alive = alive
        self._own = own
        self._others = others
        self._vigil = ListeningWindow()

    def go(self) -> list[LostRun]:
        """Returns the runs of which this has decided that they are lost.

        Raises:
            Exception: the database is away.
        """
        try:
            own = self._own()
            self._alive.beat(own)
            now = self._alive.now()
            if self._vigil.look(now) < SILENCE:
                return []
            return self._judge(now - SILENCE)
        except BaseException:
            self._vigil.interrupt()
            raise

    def _judge(self, before: datetime) -> list[LostRun]:
        silent = self._alive.silent(before)
        if not silent:
            return []
        known = {*self._own(), *self._others()}
        return self._alive.close([run_id for run_id in silent if run_id not in known], before)
