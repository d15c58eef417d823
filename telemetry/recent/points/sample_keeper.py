"""Keeps the samples of one group of processes: what was added since the last one, whichever process took that."""

import sqlite3
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.recent.database import RecentDatabase
from telemetry.recent.drops import POINT, UNWRITABLE, Drops
from telemetry.recent.points import point_writer
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.deltas import CountedSeries, LastSample, first_counts
from telemetry.recent.points.tiers import FINEST, round_up

LONGEST_PAUSE: Final = 300
"""Seconds."""
_LATE: Final = 2.0
"""So many seconds after its end a sample still belongs to an interval."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What all processes of a group have counted.

    Attributes:
        totals: by series.
        extra: what was added since the last sample, and has no total.
        live: the ids of the processes that live.
        is_new: whether all of them have just started.
        wall: when it was taken, in Unix seconds.
        monotonic: likewise, in seconds of a clock that nobody sets.
    """

    totals: Mapping[SeriesKey, Amount]
    live: frozenset[str]
    is_new: bool
    wall: float
    monotonic: float
    extra: Mapping[SeriesKey, Amount] = field(default_factory=dict)

    @property
    def t(self) -> int:
        """The end of the interval that it belongs to."""
        return round_up(self.wall - _LATE, FINEST)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last sample that was kept. Its number is 0 if there is none."""

    counted: CountedSeries
    number: int = 0
    taken: float = 0.0
    t: int = 0

    def intervals_until(self, sample: Sample) -> int:
        """How many intervals have ended since, whether the clock was set or not. 0 if that is too long ago."""
        if not self.number:
            return 1
        elapsed = sample.monotonic - self.taken
        if elapsed > LONGEST_PAUSE:
            return 0
        by_clock = sample.t - self.t
        is_true = by_clock > 0 and abs(by_clock - elapsed) < 2 * FINEST
        return max(1, round((by_clock if is_true else elapsed) / FINEST))


class SampleKeeper:
    """For one group, and one thread."""

    def __init__(self, database: RecentDatabase, source: str, drops: Drops) -> None:
        """Read what is kept of the group.

        Args:
            database: where the points are kept.
            source: the name of the group; empty for a process alone: it has counted nothing yet, and no other one goes on.
            drops: counts what was added in a pause that was too long.

        Raises:
            sqlite3.Error, OSError: that cannot be read.
        """
        self._database = database
        self._source, self._drops = source, drops
        self._last: LastSample | None = None
        self._kept: _Kept | None = None if source else _Kept(CountedSeries())
        if source:
            with database.reading() as connection:
                self._last = point_writer.read_last_sample(connection, source)

    def known(self) -> Container[SeriesKey]:
        """The series that were kept so far."""
        if self._kept is not None:
            return self._kept.counted.known()
        return self._last.totals.keys() if self._last is not None else ()

    def keep(self, sample: Sample) -> bool:
        """Keep a sample.

        Returns:
            Whether that is done. If not, another process has sampled the group meanwhile, and a new keeper has to read that.

        Raises:
            sqlite3.Error, OSError: it could not be kept. The next one has its numbers.
        """
        kept = self._kept or self._begun(sample)
        intervals = kept.intervals_until(sample)
        counted, added = kept.counted.advanced(sample.totals)
        if not intervals:
            self._drops.count(POINT, UNWRITABLE, len(added))
            counted, added, intervals = CountedSeries.from_totals(sample.totals), {}, 1
        now = _Kept(counted, kept.number + 1, sample.monotonic, sample.t)
        with self._database.writing() as connection:
            if self._source and not self._note(connection, kept, now, sample):
                return False
            point_writer.add_points(connection, {**added, **sample.extra}, sample.t, intervals)
        self._kept = now
        return True

    def _begun(self, sample: Sample) -> _Kept:
        """What the first sample of this process is compared with."""
        last = self._last
        number = last.number if last is not None else 0
        counted = first_counts(last, sample.live, sample.totals, is_new=sample.is_new)
        if counted is None:  # a base, and nothing more
            counted = CountedSeries.from_totals(sample.totals)
        elif last is not None and counted.known():
            return _Kept(counted, number, last.taken, last.t)
        return _Kept(counted, number, sample.monotonic, sample.t - FINEST)

    def _note(self, connection: sqlite3.Connection, kept: _Kept, now: _Kept, sample: Sample) -> bool:
        """Leave the sample to whichever process takes the next one. Returns False if another one has taken one."""
        number = point_writer.last_number(connection, self._source)
        if number not in (None, kept.number):
            return False
        is_whole = number is None or self._kept is None
        totals = now.counted.changes(CountedSeries() if is_whole else kept.counted)
        last = LastSample(now.number, sample.live, now.taken, now.t, totals)
        point_writer.keep_last_sample(connection, self._source, last, is_whole=is_whole)
        return True
