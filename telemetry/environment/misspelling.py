"""Finds names of variables that are most likely misspelled."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

_SHORT: Final = 8
"""In a name of fewer letters two that differ make another word."""
_MOST: Final = 2
_SHORTEST: Final = 7
"""A foreign variable may well have a shorter name that resembles one of ours, such as `POST`."""


def misspelled(names: Iterable[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """The names that are not known and resemble a known one, each with that one. All known names are in upper case."""
    for name in names:
        if (upper := name.upper()) not in known and (meant := _nearest(upper, known)):
            yield name, meant


def misspelled_among_foreign(names: Iterable[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Like `misspelled`, where most names are those of others: by one letter, in a long name, and if the right one is unset."""
    present = list(names)
    unset = set(known) - {name.upper() for name in present}
    for name, meant in misspelled(present, known):
        if meant in unset and len(meant) >= _SHORTEST and _distance(name.upper(), meant) == 1:
            yield name, meant


def _nearest(name: str, known: Collection[str]) -> str | None:
    near = ((_distance(name, each), each) for each in known)
    return min(((distance, each) for distance, each in near if distance <= _allowed(each)), default=(0, None))[1]


def _allowed(name: str) -> int:
    return 1 if len(name) < _SHORT else _MOST


def _distance(left: str, right: str) -> int:
    """How many letters differ: missing, added, another, or two next to each other swapped. Stops counting above `_MOST`."""
    if abs(len(left) - len(right)) > _MOST or len(set(left) ^ set(right)) > 2 * _MOST:
        return _MOST + 1
    older: list[int] = []
    previous = list(range(len(right) + 1))
    for row in range(1, len(left) + 1):
        current = [row]
        for column in range(1, len(right) + 1):
            other = previous[column - 1] + (left[row - 1] != right[column - 1])
            best = min(previous[column] + 1, current[-1] + 1, other)
            if min(row, column) > 1 and left[row - 2 : row] == right[column - 2 : column][::-1]:
                best = min(best, older[column - 2] + 1)
            current.append(best)
        older, previous = previous, current
    return previous[-1]
