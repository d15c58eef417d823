"""The series of `recent.db` that queries ask for, remembered as long as no series is added or removed."""

import json
import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from telemetry.recent.point_tables import SAMPLED
from telemetry.recent.points.results import Labels
from telemetry.recent.recent_file import stored_json

Match = Mapping[str, str | Collection[str]]
"""Labels that series must have: a value, or one of several."""
_Key = tuple[str, tuple[str, ...], frozenset[tuple[str, frozenset[str]]]]
_MAX_REMEMBERED: Final = 16
_SERIES: Final = """
SELECT s.id, s.labels, s.bounds, s.family FROM series s JOIN families f ON f.id = s.family WHERE f.name = ?
"""


class Stored(NamedTuple):
    """The series of a stored family that were asked for.

    Attributes:
        places: a JSON object with the group of each series, by its id.
        number: how many they are.
        by: the names of the labels that groups have.
        groups: the values of their labels, and the text of their bounds.
        total: how many series the family has.
    """

    family: int
    places: str
    number: int
    by: tuple[str, ...]
    groups: list[tuple[str, ...]]
    total: int

    def labels(self, place: int) -> Labels:
        return dict(zip(self.by, self.groups[place], strict=False))

    def bounds(self, place: int) -> tuple[float, ...]:
        return _bounds(self.groups[place][-1])


SAMPLES: Final = Stored(SAMPLED, json.dumps({SAMPLED: 0}), 1, (), [("",)], 1)
"""The seconds of which there are samples."""


class StoredSeries:
    """For any thread."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._version = 0
        self._found: dict[_Key, Stored] = {}

    def find(self, connection: sqlite3.Connection, family: str, by: Sequence[str], match: Match) -> Stored:
        """The series of a family that have the labels of `match`, in groups of the same `by`."""
        wanted = {label: frozenset([value] if isinstance(value, str) else value) for label, value in match.items()}
        key = family, tuple(by), frozenset(wanted.items())
        (version,) = connection.execute("SELECT series_version FROM point_state").fetchone()
        if (known := self._known(version, key)) is not None:
            return known
        found = _read(connection, family, tuple(by), wanted)
        self._remember(version, key, found)
        return found

    def _known(self, version: int, key: _Key) -> Stored | None:
        with self._guard:
            if version != self._version:
                self._version, self._found = version, {}
            return self._found.get(key)

    def _remember(self, version: int, key: _Key, found: Stored) -> None:
        with self._guard:
            if version == self._version:
                self._found[key] = found
            while len(self._found) > _MAX_REMEMBERED:
                del self._found[next(iter(self._found))]


def _read(
    connection: sqlite3.Connection, family: str, by: tuple[str, ...], wanted: Mapping[str, Collection[str]]
) -> Stored:
    rows = connection.execute(_SERIES, (family,)).fetchall()
    groups: dict[tuple[str, ...], int] = {}
    places: dict[int, int] = {}
    for series, text, bounds, _family in rows:
        labels = _labels(text)
        _bounds(bounds)
        if not wanted or all(labels.get(label) in values for label, values in wanted.items()):
            key = (*[labels.get(label, "") for label in by], bounds)
            places[series] = groups.setdefault(key, len(groups))
    return Stored(rows[0][3] if rows else SAMPLED, json.dumps(places), len(places), by, list(groups), len(rows))


@lru_cache(maxsize=20_000)
def _labels(text: str) -> Labels:
    found: dict[str, str] = stored_json(text)
    return found


@lru_cache(maxsize=1000)
def _bounds(text: str) -> tuple[float, ...]:
    return tuple(stored_json(text)) if text else ()
