"""Deltas: what was counted between two samples of numbers that only grow, but for restarts and workers that are missing.

A restart begins at zero. A page may lack a worker for a while, because its file cannot be read: its numbers fall, and come back.
Neither is a negative amount, nor one of everything that was ever counted.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.recent.points.amounts import NOTHING, Amount, SeriesKey

RETURN_SAMPLES: Final = 30
"""For so many samples numbers that have fallen may come back."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a series has counted, and what it had counted before it fell."""

    now: Amount
    before: Amount | None = None
    samples: int = 0

    def advanced(self, amount: Amount) -> "tuple[_Counted, Amount]":
        """Take a newer number. Returns what is counted then, and what was added."""
        before = self.before
        if amount.value < self.now.value:
            highest = self.now if before is None or before.value < self.now.value else before
            return _Counted(amount, highest, RETURN_SAMPLES), NOTHING
        if before is not None and amount.value >= before.value:  # the missing worker is back
            return _Counted(amount), amount.since(before)
        is_awaited = before is not None and self.samples > 1
        return _Counted(amount, *((before, self.samples - 1) if is_awaited else ())), amount.since(self.now)


@dataclass(frozen=True, slots=True)
class CountedSeries:
    """The numbers of all series at the last sample; empty for a service that has just started."""

    _series: Mapping[SeriesKey, _Counted] = field(default_factory=dict)

    @classmethod
    def from_totals(cls, totals: Mapping[SeriesKey, Amount]) -> "CountedSeries":
        return cls({key: _Counted(amount) for key, amount in totals.items()})

    def known(self) -> Collection[SeriesKey]:
        return self._series.keys()

    def has_fallen(self, sample: Mapping[SeriesKey, Amount]) -> bool:
        """Whether a number is lower than before, or missing."""
        return any(sample.get(key, NOTHING).value < counted.now.value for key, counted in self._series.items())

    def advanced(self, sample: Mapping[SeriesKey, Amount]) -> "tuple[CountedSeries, dict[SeriesKey, Amount]]":
        """Take a newer sample. Returns what is counted then, and what was added, of those that have counted something."""
        series = dict(self._series)
        added: dict[SeriesKey, Amount] = {}
        missing = dict.fromkeys(series.keys() - sample.keys(), NOTHING)
        for key, amount in (*sample.items(), *missing.items()):
            known = series.get(key)
            series[key], more = (_Counted(amount), amount) if known is None else known.advanced(amount)
            if not more.is_nothing:
                added[key] = more
        return CountedSeries(series), added

    def changes(self, earlier: "CountedSeries") -> dict[SeriesKey, Amount]:
        """The numbers that differ from those of an earlier sample."""
        then = earlier._series  # noqa: SLF001  # of the same class
        return {
            key: counted.now for key, counted in self._series.items() if key not in then or then[key].now != counted.now
        }


@dataclass(frozen=True, slots=True)
class LastSample:
    """The last sample of a group of processes, as the process that took it has left it.

    Attributes:
        workers: the ids of the processes that lived then.
        taken: by the monotonic clock, which the processes of a machine share.
        t: the end of the interval that it was counted in, in Unix seconds.
    """

    number: int
    workers: frozenset[str]
    taken: float
    t: int
    totals: Mapping[SeriesKey, Amount]


def first_counts(
    last: LastSample | None, live: Iterable[str], sample: Mapping[SeriesKey, Amount], *, is_new: bool
) -> CountedSeries | None:
    """What a process counts from that begins to sample a group; None if its first sample is only a base.

    Args:
        last: the group's last sample.
        live: the ids of the processes that live now.
        sample: what they and the dead ones of the group have counted.
        is_new: whether all of them have just started.
    """
    if last is None:
        return CountedSeries() if is_new else None
    counted = CountedSeries.from_totals(last.totals)
    if last.workers.isdisjoint(live) and counted.has_fallen(sample):
        return CountedSeries()  # all others have ended, and so have their numbers: those here began since
    return counted
