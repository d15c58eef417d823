"""Shared values: what a worker has counted until it was killed completes its last snapshot, which is up to a second older.

Each worker keeps its counters and histograms in a file beside its snapshot (see `measuring.shared_series`). Both are totals,
so the larger one is right for each number. Without such a file, on a full disk for example, snapshots are all there is.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.util.types import Attributes

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.metrics.families import Family
from telemetry.metrics.histogram import HistogramValue, Number
from telemetry.metrics.measuring.shared_file import SharedFile, remove, remove_orphans
from telemetry.metrics.measuring.shared_series import Shape, SharedMeasurements, read_series
from telemetry.metrics.multiprocess.archive import NO_WORKER
from telemetry.metrics.multiprocess.snapshot import DecodedFiles, Snapshot
from telemetry.metrics.multiprocess.worker_files import numbers_file
from telemetry.processes import forks

_MAX_EXACT: Final = 2.0**53
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_log = logging.getLogger(__name__)
Translate = Callable[[Iterable[Metric]], list[Family]]


class SharedValues(forks.ForkAware):
    """The file of this worker, and those of dead ones."""

    def __init__(self, own: SharedMeasurements | None, translate: Translate) -> None:
        """Share the measurements of this process.

        Args:
            own: what this process measures; None shares nothing of it.
            translate: gives the families of metrics, by the same names as those in snapshots.
        """
        self._own = own
        self._file: SharedFile | None = None
        self._is_failing = False
        self._decoded = DecodedFiles(lambda data: translate(_metrics(data)))
        forks.register(self)

    def restart_in_child(self) -> None:
        """What a child measures is not its parent's."""
        self._file = None
        if self._own is not None:
            self._own.restart()

    @failsafe
    def keep(self, snapshot_path: Path) -> None:
        """Make sure that the file is in place. Says once that it cannot be, and once that it is again."""
        if self._own is None or (self._file is not None and self._file.is_in_place()):
            return
        remove_orphans()
        try:
            self._file = SharedFile(numbers_file(snapshot_path))
        except OSError as error:
            self._file = None
            self._own.detach()
            self._say_failing(error)
            return
        self._own.move_to(self._file)
        if self._is_failing:
            self._is_failing = False
            _log.info("A killed worker loses no measurements again.", extra={semconv.COMPONENT: "workers"})

    @failsafe
    def close(self, snapshot_path: Path) -> None:
        """Remove the file: the last snapshot has all that is in it."""
        if self._own is not None:
            self._file = None
            self._own.detach()
            remove(numbers_file(snapshot_path))

    def _say_failing(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            _log.warning(
                "A worker that is killed loses the measurements of its last second: its file of numbers cannot be created (%s).",
                error.strerror,
                extra={semconv.COMPONENT: "workers"},
            )

    def complete(self, snapshot: Snapshot | None, snapshot_path: Path) -> Snapshot | None:
        """The snapshot of a dead worker with what it had counted since.

        Args:
            snapshot: None if it has written none.
            snapshot_path: the snapshot's file.
        """
        families = self._decoded.read(numbers_file(snapshot_path))
        if families is None:
            return snapshot
        snapshot = snapshot or Snapshot(NO_WORKER, 0.0, [])
        return Snapshot(snapshot.worker, snapshot.taken_at, completed(snapshot.families, families))

    def forget_missing(self) -> None:
        """Drop the content of files that no longer exist."""
        self._decoded.forget_missing()


def completed(snapshot: Iterable[Family], shared: Iterable[Family]) -> list[Family]:
    """The families of a snapshot with the larger value of both for each number."""
    found = {
        family.key: replace(family, series={**family.series}, histograms={**family.histograms}) for family in snapshot
    }
    for family in shared:
        _take_larger(found.setdefault(family.key, family.without_series()), family)
    return list(found.values())


def _take_larger(known: Family, shared: Family) -> None:
    for labels, value in shared.series.items():
        known.series[labels] = _larger(known.series.get(labels, 0), value)
    for labels, histogram in shared.histograms.items():
        before = known.histograms.get(labels)
        if before is None:
            known.histograms[labels] = histogram
        elif before.bounds == histogram.bounds:
            counts = list(map(max, before.counts, histogram.counts))
            total = _larger(before.sum, histogram.sum)
            known.histograms[labels] = HistogramValue(before.bounds, counts, total, before.exemplars)


def _larger(known: Number, shared: Number) -> Number:
    """Both are of one series. (NaN, which compares with nothing, stays; so do integers that a float rounds.)"""
    if isinstance(known, int) and shared > _MAX_EXACT:
        return known
    return max(known, shared)


def _metrics(data: bytes) -> list[Metric]:
    """The series of a file as the SDK's metrics."""
    counters: dict[Shape, list[NumberDataPoint]] = {}
    histograms: dict[Shape, list[HistogramDataPoint]] = {}
    for shape, attributes, total, counts in read_series(data):
        if shape.bounds is None:
            counters.setdefault(shape, []).append(_number(attributes, total))
        else:
            histograms.setdefault(shape, []).append(_histogram(attributes, total, counts, shape.bounds))
    return [
        *(
            Metric(shape.name, shape.description, shape.unit, Sum(points, _CUMULATIVE, is_monotonic=True))
            for shape, points in counters.items()
        ),
        *(
            Metric(shape.name, shape.description, shape.unit, Histogram(points, _CUMULATIVE))
            for shape, points in histograms.items()
        ),
    ]


def _number(attributes: Attributes, total: float) -> NumberDataPoint:
    """An integer is one again, as far as a float holds it exactly."""
    is_integer = total.is_integer() and total <= _MAX_EXACT
    return NumberDataPoint(attributes, 0, 0, int(total) if is_integer else total)


def _histogram(
    attributes: Attributes, total: float, counts: Sequence[int], bounds: tuple[float, ...]
) -> HistogramDataPoint:
    return HistogramDataPoint(attributes, 0, 0, sum(counts), total, counts, bounds, 0.0, 0.0)
