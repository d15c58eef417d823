"""Deltas: what was counted between two samples of numbers that only grow, but for restarts and workers that are missing.

A restart begins at zero. A page may lack a worker for a while, because its file cannot be read: its numbers fall, and come back.
Neither is a negative amount, nor one of everything that was ever counted.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.recent.points.amounts import NOTHING, Amount, SeriesKey

RETURN_SAMPLES: Final = 30
"""For so many samples numbers that have fallen may come back."""


@dataclass(slots=True)
class _Counted:
    """What a series has counted, and what it had counted before it fell."""

    now: Amount
    before: Amount | None = None
    samples: int = 0

    def advance(self, amount: Amount) -> Amount:
        """Take a newer number. Returns what was added."""
        last, before = self.now, self.before
        self.now = amount
        if amount.value < last.value:
            self._fall(last)
            return NOTHING
        if before is None:
            return amount.since(last)
        self.samples -= 1
        if amount.value >= before.value:  # the missing worker is back
            self.before = None
            return amount.since(before)
        if not self.samples:
            self.before = None
        return amount.since(last)

    def _fall(self, last: Amount) -> None:
        if self.before is None or self.before.value < last.value:
            self.before = last
        self.samples = RETURN_SAMPLES


@dataclass(slots=True)
class CountedSeries:
    """The numbers of all series at the last sample; empty for a service that has just started."""

    _series: dict[SeriesKey, _Counted] = field(default_factory=dict)

    @classmethod
    def from_totals(cls, totals: Mapping[SeriesKey, Amount]) -> "CountedSeries":
        return cls({key: _Counted(amount) for key, amount in totals.items()})

    def known(self) -> Container[SeriesKey]:
        return self._series.keys()

    def has_fallen(self, sample: Mapping[SeriesKey, Amount]) -> bool:
        """Whether a number is lower than before, or missing."""
        return any(sample.get(key, NOTHING).value < counted.now.value for key, counted in self._series.items())

    def advance(self, sample: Mapping[SeriesKey, Amount]) -> dict[SeriesKey, Amount]:
        """Take a newer sample. Returns what was added, of those series that have counted something."""
        for key in [key for key in self._series if key not in sample]:
            self._series[key].advance(NOTHING)
        added = {key: self._advance(key, amount) for key, amount in sample.items()}
        return {key: amount for key, amount in added.items() if not amount.is_nothing}

    def _advance(self, key: SeriesKey, amount: Amount) -> Amount:
        if (counted := self._series.get(key)) is not None:
            return counted.advance(amount)
        self._series[key] = _Counted(amount)
        return amount

    def totals(self) -> dict[SeriesKey, Amount]:
        return {key: counted.now for key, counted in self._series.items()}


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
