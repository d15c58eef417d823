"""A snapshot: what one worker has measured, as a file that another one reads. It is whole, or it is not there."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue

_VERSION: Final = 1
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`at` is when it was taken, in Unix seconds; `worker` the number of the place that its worker has."""

    worker: str
    at: float
    families: Sequence[Family]

    def encode(self) -> bytes:
        return json.dumps(
            [_VERSION, self.worker, self.at, [_family(family) for family in self.families]], ensure_ascii=False
        ).encode(errors="surrogatepass")

    @classmethod
    def decode(cls, data: bytes) -> "Snapshot":
        """Raises:
        ValueError: it is no snapshot, or one of another version.
        """
        try:
            version, worker, at, families = json.loads(data)
            if version == _VERSION:
                return cls(worker, at, [_read_family(family) for family in families])
        except (TypeError, KeyError, IndexError) as error:
            raise ValueError("no snapshot") from error
        raise ValueError("a snapshot of another version")


def _family(family: Family) -> list[Any]:
    """The bounds once for all series that have them, which most have."""
    bounds: dict[tuple[float, ...], int] = {}
    distributions = {
        labels: [
            bounds.setdefault(each.bounds, len(bounds)),
            each.counts,
            each.sum,
            [list(exemplar) for exemplar in each.exemplars.values()],
        ]
        for labels, each in family.distributions.items()
    }
    return [family.name, family.kind, family.help, family.across, family.series, list(bounds), distributions]


def _read_family(data: Any) -> Family:
    name, kind, told, across, series, bounds, distributions = data
    known = [tuple(each) for each in bounds]
    made = {labels: _distribution(known[number], rest) for labels, (number, *rest) in distributions.items()}
    return Family(name, kind, told, series, made, across)


def _distribution(bounds: tuple[float, ...], rest: Any) -> HistogramValue:
    counts, total, exemplars = rest
    made = HistogramValue(bounds, counts, total)
    if exemplars:
        made.remember(Exemplar(*each) for each in exemplars)
    return made


class Decoded(Generic[T]):
    """What files mean. One that says what it said last time is not decoded anew: most of the time goes into that."""

    def __init__(self, decode: Callable[[bytes], T]) -> None:
        self._decode = decode
        self._known: dict[Path, tuple[bytes, T]] = {}

    def of(self, path: Path) -> T | None:
        """None for a file that is not there, and for one that cannot be decoded."""
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
        for path in [known for known in self._known if not known.exists()]:
            self._known.pop(path, None)


def replace_file(path: Path, data: bytes) -> None:
    """What is read there is the old or the new, never a part. (What a power cut leaves, nobody reads.)"""
    partial = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    partial.rename(path)
