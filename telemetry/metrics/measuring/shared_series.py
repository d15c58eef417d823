"""Shared series: what counters and histograms have measured, in a file that others read when this process was killed.

They are kept beside the SDK's aggregations, which are in the process's own memory. Each number is a total since the process
began, never a difference. So a reader may take the larger one of it and of what it knows from elsewhere, and counts nothing
twice. A process that is killed in the middle of a measurement leaves this measurement as a whole or not at all.
"""

import json
import threading
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from telemetry.metrics.measuring.shared_file import SharedFile, records

_SUMS: Final = 2
"""A histogram has its sum twice: the one that counts is told by whether its number of measurements is odd."""


class Shape(NamedTuple):
    """What a metric is called, and the bounds of its buckets; a counter has none."""

    name: str
    description: str
    unit: str
    bounds: tuple[float, ...] | None


class SharedSeries:
    """The totals of one attribute set. Until there is a file, and when it is full, they are in private memory."""

    __slots__ = ("_cells", "_lock", "_totals")

    def __init__(self, numbers: int) -> None:
        self._lock = threading.RLock()
        self._totals = [0.0] * numbers
        self._cells = _private(numbers)

    def record(self, amount: float) -> None:
        """Add to a counter."""
        with self._lock:
            self._totals[0] = self._cells[0] = self._totals[0] + amount

    def move_to(self, file: SharedFile, document: bytes) -> None:
        """Keep the totals in a file from now on, if it has room."""
        with self._lock:
            cells = file.append(document, self._totals)
            self._cells = _private(len(self._totals)) if cells is None else cells

    def detach(self) -> None:
        """Keep the totals in private memory."""
        with self._lock:
            self._cells = _private(len(self._totals))

    def restart(self) -> None:
        """Begin at zero, in a forked child. Another thread of its parent may have held the lock."""
        self._lock = threading.RLock()
        self._totals = [0.0] * len(self._totals)
        self._cells = _private(len(self._totals))


class SharedHistogram(SharedSeries):
    __slots__ = ("_bounds", "_number")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__(_SUMS + len(bounds) + 1)
        self._bounds = bounds
        self._number = 0

    def restart(self) -> None:
        super().restart()
        self._number = 0

    def record(self, amount: float) -> None:
        """Record a measurement. The bucket is written last: with it, the new sum is the one that counts."""
        bucket = bisect_left(self._bounds, amount) + _SUMS
        with self._lock:
            totals, cells, number = self._totals, self._cells, self._number
            is_odd = (number + 1) & 1
            totals[is_odd] = cells[is_odd] = totals[number & 1] + amount
            totals[bucket] = cells[bucket] = totals[bucket] + 1.0
            self._number = number + 1


class SharedMeasurements:
    """The shared series of a process. Their number is limited by the instruments' limits, and by the room in the file."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._series: dict[tuple[Shape, Hashable], tuple[SharedSeries, bytes]] = {}
        self._file: SharedFile | None = None

    def series(self, shape: Shape, key: Hashable, attributes: Mapping[str, Any]) -> SharedSeries:
        """The series of an attribute set.

        Args:
            shape: of the metric.
            key: the attribute set, hashable.
            attributes: what JSON can hold.

        Raises:
            TypeError: JSON cannot hold the attributes.
        """
        if known := self._series.get((shape, key)):
            return known[0]
        document = json.dumps([*shape, dict(attributes)]).encode()
        with self._lock:
            if known := self._series.get((shape, key)):
                return known[0]
            series = SharedSeries(1) if shape.bounds is None else SharedHistogram(shape.bounds)
            self._series[shape, key] = series, document
            if self._file is not None:
                series.move_to(self._file, document)
        return series

    def move_to(self, file: SharedFile) -> None:
        """Keep all series in a file, also those to come. Who measures meanwhile waits for one series at most."""
        with self._lock:
            self._file, known = file, list(self._series.values())
        for series, document in known:
            with self._lock:
                series.move_to(file, document)

    def detach(self) -> None:
        """Keep all series in private memory until there is another file."""
        with self._lock:
            self._file = None
            for series, _ in self._series.values():
                series.detach()

    def restart(self) -> None:
        """Begin at zero and without a file, in a forked child: what its parent has measured is its parent's."""
        self._lock = threading.RLock()
        self._file = None
        for series, _ in self._series.values():
            series.restart()


def read_series(data: bytes) -> Iterator[tuple[Shape, dict[str, Any], float, Sequence[int]]]:
    """The series in a file: shape, attributes, sum, and the measurements in each bucket (none for a counter).

    Raises:
        ValueError: this is no file of series.
    """
    for (name, description, unit, bounds, attributes), numbers in records(data):
        shape = Shape(name, description, unit, None if bounds is None else tuple(bounds))
        if bounds is None:
            yield shape, attributes, numbers[0], ()
        else:
            counts = [int(count) for count in numbers[_SUMS:]]
            yield shape, attributes, numbers[sum(counts) & 1], counts


def _private(numbers: int) -> "memoryview[float]":
    return memoryview(bytearray(8 * numbers)).cast("d")
