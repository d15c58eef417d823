"""An amount: what a series has counted, in all or within an interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class SeriesKey(NamedTuple):
    """A series that is kept.

    Attributes:
        family: the name of a metric on `/metrics`; for sums over some of its labels followed by those that are left.
        labels: a JSON object with sorted names.
        bounds: a JSON list with the bounds of a histogram; else empty.
    """

    family: str
    labels: str
    bounds: str = ""


@dataclass(frozen=True, slots=True)
class Amount:
    """What a counter or a histogram has counted.

    Attributes:
        value: of a counter; of a histogram the number of measurements.
        sum: of the measurements; 0 for a counter.
        buckets: the counts by bucket, not cumulative; empty for a counter.
    """

    value: float
    sum: float = 0.0
    buckets: tuple[int, ...] = ()

    def plus(self, other: "Amount") -> "Amount":
        return Amount(self.value + other.value, self.sum + other.sum, _added(self.buckets, other.buckets))

    def since(self, earlier: "Amount") -> "Amount":
        """What was added since. Nothing is negative, whatever the two are."""
        buckets = self.buckets
        if earlier.buckets:
            buckets = tuple(max(0, now - then) for now, then in zip(self.buckets, earlier.buckets, strict=False))
        return Amount(max(0.0, self.value - earlier.value), max(0.0, self.sum - earlier.sum), buckets)

    def spread(self, parts: int) -> "list[Amount]":
        """The amount in parts, as equal as possible; counts stay whole."""
        if parts == 1:
            return [self]
        values, sums = _parts(self.value, parts), _parts(self.sum, parts)
        buckets = [_parts(count, parts) for count in self.buckets]
        return [
            Amount(values[place], sums[place], tuple(int(each[place]) for each in buckets)) for place in range(parts)
        ]

    @property
    def is_nothing(self) -> bool:
        return not self.value and not self.sum


NOTHING = Amount(0.0)


def _added(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    if not one or not other:
        return tuple(one or other)
    return tuple(mine + theirs for mine, theirs in zip(one, other, strict=False))


def _parts(number: float, parts: int) -> list[float]:
    if not float(number).is_integer():  # also infinity
        return [number / parts] * parts
    whole = int(number)
    return [whole * (place + 1) // parts - whole * place // parts for place in range(parts)]
