"""A mergeable quantile sketch of durations: any percentile with a relative error of one percent, in little space.

Durations are counted in buckets whose bounds grow by a fixed ratio (DDSketch: Masson, Rim and Lee 2019). The sketches of
several days therefore add up to the sketch of all of them.
"""

import math
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Final, Self

ACCURACY: Final = 0.01
DIGITS: Final = 6
"""Decimal places of a duration in seconds: the microseconds of the clocks."""
_RATIO: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOGARITHM: Final = math.log(_RATIO)
_MIN_SECONDS: Final = 1e-6  # a shorter duration counts as 0
_MAX_SECONDS: Final = 1e12


class QuantileSketch:
    """A quantile sketch of durations in seconds."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._zeros = 0
        self._buckets: dict[int, int] = {}
        for duration in seconds:
            self.add(duration)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """Restore a sketch from `stored`."""
        sketch = cls()
        sketch.merge(stored)
        return sketch

    def __len__(self) -> int:
        return self._zeros + sum(self._buckets.values())

    def add(self, seconds: float) -> None:
        if seconds < _MIN_SECONDS:
            self._zeros += 1
        else:
            bucket = _bucket(seconds)
            self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def discard(self, seconds: float) -> None:
        """Remove one duration of the same bucket, if there is one."""
        if seconds < _MIN_SECONDS:
            self._zeros = max(0, self._zeros - 1)
        elif self._buckets.get(bucket := _bucket(seconds), 0) > 0:
            self._buckets[bucket] -= 1

    def merge(self, stored: dict[str, Any]) -> None:
        """Add another sketch, as its `stored` returned it."""
        self._zeros += stored["zeros"]
        numbers, buckets = stored["buckets"], self._buckets
        for bucket, count in zip(numbers[::2], numbers[1::2], strict=True):
            buckets[bucket] = buckets.get(bucket, 0) + count

    def percentile(self, percent: float) -> float | None:
        """The nearest-rank percentile, with a relative error of at most `ACCURACY`; None if the sketch is empty."""
        if not (number := len(self)):
            return None
        rank = math.ceil(percent / 100 * number) - self._zeros
        if rank <= 0:
            return 0.0
        buckets = sorted(self._buckets)
        ranks = accumulate(self._buckets[bucket] for bucket in buckets)
        bucket = next(bucket for bucket, reached in zip(buckets, ranks, strict=True) if reached >= rank)
        return round(2 * float(_RATIO**bucket) / (_RATIO + 1), DIGITS)

    def stored(self) -> dict[str, Any]:
        """The sketch as JSON values. `buckets` is a flat list of pairs: the number of a bucket, and its count."""
        return {"zeros": self._zeros, "buckets": [number for pair in sorted(self._buckets.items()) for number in pair]}


def _bucket(seconds: float) -> int:
    return math.ceil(math.log(min(seconds, _MAX_SECONDS)) / _LOGARITHM)
