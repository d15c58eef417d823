"""Samples the numbers of all workers every ten seconds, in one process of a group, and keeps what was added since.

A sample is counted once: in the interval in which it was taken; if the one before was taken by a process that was killed, spread
evenly over the intervals that have no sample, up to five minutes. What was counted in a longer pause is not kept: the plots show
a gap.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from telemetry.metrics.families import Family
from telemetry.metrics.full_collections import FULL_COLLECTIONS
from telemetry.metrics.switch_interval import short_switch_interval
from telemetry.periodic import PeriodicTask
from telemetry.processes import forks
from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.recent.database import RecentDatabase
from telemetry.recent.drops import Drops
from telemetry.recent.points import point_writer
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.election import Election
from telemetry.recent.points.family_totals import FamilyTotals
from telemetry.recent.points.plotted import COLLECTED
from telemetry.recent.points.pruning import forget_unused, prune
from telemetry.recent.points.sample_keeper import Sample, SampleKeeper
from telemetry.recent.points.tiers import FINEST

STEP_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 15.0
"""Without a sample for so long, the process that is elected hangs or was stopped, and another one takes over."""
_NEW_SECONDS: Final = 60.0
_PRUNE_SECONDS: Final = 60.0
_FORGET_SECONDS: Final = 3600.0
_UPTIME: Final = "app_uptime_seconds"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from: Unix seconds, and seconds of a clock that nobody sets."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


SYSTEM_CLOCKS: Final = Clocks()


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is sampled.

    Attributes:
        collect: collects the metrics of the whole group.
        totals: reads what is kept of them.
        drops: counts the series of a sample that could not be kept for too long.
    """

    collect: Callable[[], list[Family]]
    totals: FamilyTotals
    drops: Drops = field(default_factory=Drops)


class PointSampler(forks.ForkAware):
    """Runs in a thread of its own from `start` on."""

    def __init__(
        self, database: RecentDatabase, registry: ProcessRegistry, sampled: Sampled, clocks: Clocks = SYSTEM_CLOCKS
    ) -> None:
        """Prepare to sample; nothing is read before the first step.

        Args:
            database: where the points are kept.
            registry: tells the group of this process, and who else is in it.
            sampled: what is sampled.
            clocks: for tests.
        """
        self._database = database
        self._registry = registry
        self._sampled = sampled
        self._clocks = clocks
        self._election = Election(registry.data_dir)
        self.restart_in_child()
        forks.register(self)
        self._task = PeriodicTask(self.step, STEP_SECONDS, "Sampling of the console's figures")

    def restart_in_child(self) -> None:
        self._group = ""
        self._keeper: SampleKeeper | None = None
        self._waits_since: float | None = None
        self._due = self._prune_due = self._forget_due = 0.0

    def start(self) -> None:
        self._task.start()

    def stop(self) -> None:
        """Take the last sample, and leave the next one to another process. More than once is harmless."""
        if self._task.is_stopping:
            return
        self._task.stop()
        with suppress(sqlite3.Error, OSError):  # the figures of the last seconds are not worth a warning
            self.sample()
        self._election.withdraw()

    def step(self) -> None:
        """Take a sample if it is time for one."""
        if self._clocks.monotonic() >= self._due:
            self._due = self._clocks.monotonic() + self._seconds_to_next()
            self.sample()

    def _seconds_to_next(self) -> float:
        """Samples are taken at the ends of intervals."""
        seconds = FINEST - self._clocks.wall() % FINEST
        return seconds if seconds >= STEP_SECONDS else seconds + FINEST

    def sample(self) -> None:
        """Take a sample now, if this is the process that does.

        Raises:
            sqlite3.Error, OSError: it could not be kept; the next one has its numbers.
        """
        group = self._registry.group
        if group != self._group:
            self._group, self._keeper, self._waits_since = group, None, None
        if not self._is_elected(group):
            self._keeper = None
            return
        if self._keeper is None:
            self._keeper = SampleKeeper(self._database, group, self._sampled.drops)
        if not self._keeper.keep(self._taken(group, self._keeper)):
            self._keeper = None
        self._prune_if_due()

    def _is_elected(self, group: str) -> bool:
        if self._election.is_elected(group):
            self._waits_since = None
            return True
        now = self._clocks.monotonic()
        self._waits_since = now if self._waits_since is None else self._waits_since
        if now - self._waits_since < SILENCE_SECONDS:
            return False
        with suppress(sqlite3.Error, OSError):  # the elected process says what is wrong
            return self._is_silent(group, now) and self._election.take_over()
        return False

    def _is_silent(self, group: str, now: float) -> bool:
        with self._database.reading() as connection:
            taken = point_writer.last_taken(connection, group)
        return taken is None or now - taken >= SILENCE_SECONDS

    def _taken(self, group: str, keeper: SampleKeeper) -> Sample:
        started = self._clocks.monotonic()
        with short_switch_interval(), FULL_COLLECTIONS.postponed():
            families = self._sampled.collect()
        now = self._clocks.monotonic()
        return Sample(
            totals=self._sampled.totals.read(families, keeper.known()),
            live=self._live(group),
            is_new=_uptime(families) <= _NEW_SECONDS,
            wall=self._clocks.wall(),
            monotonic=now,
            extra={SeriesKey(COLLECTED, "{}"): Amount(1, now - started)},
        )

    def _live(self, group: str) -> frozenset[str]:
        found = {entry.id for entry in live_processes(self._registry.data_dir) if entry.group == group}
        return frozenset(found | {self._registry.id})

    def _prune_if_due(self) -> None:
        now = self._clocks.monotonic()
        if now >= self._prune_due:
            self._prune_due = now + _PRUNE_SECONDS
            prune(self._database, self._clocks.wall())
        if now >= self._forget_due:
            self._forget_due = now + _FORGET_SECONDS
            forget_unused(self._database, self._clocks.wall())


def _uptime(families: list[Family]) -> float:
    """Of the process that began first."""
    return max((value for each in families if each.name == _UPTIME for value in each.series.values()), default=0.0)
