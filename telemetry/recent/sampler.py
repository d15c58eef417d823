"""Samples the numbers of all workers every ten seconds, in one process of a group, and keeps what was added since.

A sample is counted once: in the interval in which it was taken; if the sampler was killed, spread evenly over the intervals that
have no sample, up to five minutes. What was counted in a longer pause is not kept, and the plots show a gap.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from telemetry.metrics.families import Family
from telemetry.metrics.full_collections import FULL_COLLECTIONS
from telemetry.metrics.switch_interval import short_switch_interval
from telemetry.processes import forks
from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.recent.database import RecentDatabase
from telemetry.recent.points import point_writer
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.deltas import CountedSeries, LastSample, first_counts
from telemetry.recent.points.election import Election
from telemetry.recent.points.family_totals import FamilyTotals
from telemetry.recent.points.plotted import COLLECTED
from telemetry.recent.points.pruning import prune
from telemetry.recent.points.tiers import FINEST, round_up

LONGEST_PAUSE: Final = 300
"""Seconds."""
_LATE: Final = 2.0
"""So many seconds after its end a sample still belongs to an interval."""
_NEW_SECONDS: Final = 60.0
_PRUNE_SECONDS: Final = 300.0
_UPTIME: Final = "app_uptime_seconds"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from: Unix seconds, and seconds that nobody sets."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class _Memory:
    """What this process knows of the samples of a group.

    Attributes:
        counted: None until there is a base.
        number: of the last sample; of the group's, if it has one.
        taken: by the monotonic clock.
        t: the end of its interval.
    """

    counted: CountedSeries | None = None
    number: int = 0
    taken: float = 0.0
    t: int = 0


class Sampler(forks.ForkAware):
    """For one thread, which calls `step` about once a second."""

    def __init__(
        self,
        database: RecentDatabase,
        registry: ProcessRegistry,
        collect: Callable[[], list[Family]],
        totals: FamilyTotals,
        clocks: Clocks = Clocks(),  # noqa: B008  # frozen
    ) -> None:
        """Prepare to sample; nothing is read before the first `step`.

        Args:
            database: where the points are kept.
            registry: tells the group of this process, and who else is in it.
            collect: collects the metrics of the whole group.
            totals: reads what is kept of them.
            clocks: for tests.
        """
        self._database = database
        self._registry = registry
        self._collect = collect
        self._totals = totals
        self._clocks = clocks
        self._election = Election(registry.data_dir)
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        """A child counts from zero, and so it is sampled."""
        self._group, self._memory = "", _Memory(CountedSeries())
        self._due = self._prune_due = 0.0

    def step(self) -> None:
        """Take a sample if it is time for one, and if this process is the one to take it."""
        if self._clocks.monotonic() >= self._due:
            self._due = self._clocks.monotonic() + self._seconds_to_next()
            self.sample()

    def stop(self) -> None:
        """Take the last sample, and leave the next one to another process."""
        try:
            self.sample()
        finally:
            self._election.withdraw()

    def sample(self) -> None:
        """Take a sample now, if this process is elected.

        Raises:
            sqlite3.Error, OSError: it could not be kept; the next one has its numbers.
        """
        group = self._registry.group
        if group != self._group:
            self._group, self._memory = group, _Memory()
        if self._election.is_elected(group):
            self._keep(group)
            self._prune_if_due()
        elif self._memory.number:
            self._memory = _Memory()

    def _keep(self, group: str) -> None:
        families, seconds = self._collected()
        now = self._clocks.monotonic()
        live = frozenset(self._live(group))
        t = round_up(self._clocks.wall() - _LATE, FINEST)
        with self._database.writing() as connection:
            memory = self._remembered(group, families, live)

    def _seconds_to_next(self) -> float:
        """Samples are taken at the ends of intervals."""
        seconds = FINEST - self._clocks.wall() % FINEST
        return seconds if seconds >= 1 else seconds + FINEST
