"""A snapshot: the metrics of one worker at one time, in a file that other workers read. A file is complete or absent."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue

_VERSION: Final = 2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The metrics of one worker.

    Attributes:
        worker: the number of the worker's slot.
        taken_at: Unix seconds.
    """

    worker: str
    taken_at: float
    families: Sequence[Family]

    def encode(self) -> bytes:
        return json.dumps(
            [_VERSION, self.worker, self.taken_at, [_encode_family(family) for family in self.families]],
            ensure_ascii=False,
        ).encode(errors="surrogatepass")

    @classmethod
    def decode(cls, data: bytes) -> "Snapshot":
        """Decode what `encode` made.

        Raises:
            ValueError: the data is no snapshot, or one of another format version.
        """
        try:
            version, worker, taken_at, families = json.loads(data)
            if version == _VERSION:
                return cls(worker, taken_at, [_decode_family(family) for family in families])
        except (TypeError, KeyError, IndexError) as error:
            raise ValueError("no snapshot") from error
        raise ValueError("a snapshot of another version")


def _encode_family(family: Family) -> list[Any]:
    """Bounds are written once for all series that share them: most do."""
    bounds: dict[tuple[float, ...], int] = {}
    histograms = {
        labels: [
            bounds.setdefault(each.bounds, len(bounds)),
            each.counts,
            each.sum,
            [list(exemplar) for exemplar in each.exemplars.values()],
        ]
        for labels, each in family.histograms.items()
    }
    described = [family.name, family.kind, family.help, family.gauge_mode]
    return [*described, family.series, list(bounds), histograms, family.source, family.since, family.scope]


def _decode_family(data: Any) -> Family:
    name, kind, help_text, gauge_mode, series, bounds, encoded, *identity = data
    shared_bounds = [tuple(each) for each in bounds]
    histograms = {labels: _decode_histogram(shared_bounds[index], rest) for labels, (index, *rest) in encoded.items()}
    return Family(name, kind, help_text, series, histograms, gauge_mode, *identity)


def _decode_histogram(bounds: tuple[float, ...], rest: Any) -> HistogramValue:
    counts, total, exemplars = rest
    histogram = HistogramValue(bounds, counts, total)
    if exemplars:
        histogram.add_exemplars(Exemplar(*each) for each in exemplars)
    return histogram


class DecodedFiles(Generic[T]):
    """Reads and decodes files, and decodes a file again only if its content changed: decoding takes most of the time."""

    def __init__(self, decode: Callable[[bytes], T]) -> None:
        self._decode = decode
        self._known: dict[Path, tuple[bytes, T]] = {}

    def read(self, path: Path) -> T | None:
        """The decoded content; None for a file that is missing or cannot be decoded."""
        try:
            data = path.read_bytes()
            known = self._known.get(path)
            if known is None or known[0] != data:
                known = self._known[path] = (data, self._decode(data))
        except (FileNotFoundError, ValueError):
            self._known.pop(path, None)
            return None
        return known[1]

    def forget_missing(self) -> None:
        """Drop the content of files that no longer exist."""
        for path in [known for known in self._known if not known.exists()]:
            self._known.pop(path, None)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically: readers find the old content or the new. (No fsync: after a power cut nobody reads it.)"""
    partial = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    partial.rename(path)
