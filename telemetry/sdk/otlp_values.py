"""Values as OTLP can carry them. Protobuf refuses others, such as a lone surrogate, and the whole batch with them."""

import math
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from opentelemetry.attributes import BoundedAttributes

from telemetry.json_safe import to_text, valid_unicode

TEXT: Final = "text"
INTEGER: Final = "integer"
TYPE: Final = "type"
_INT64: Final = (-(2**63), 2**63 - 1)
_UINT64: Final = (0, 2**64 - 1)
_MAX_DEPTH: Final = 24
"""Levels of containers. Receivers read at most 100 levels of messages, and a mapping takes three."""
MAX_ITEMS: Final = 10_000
"""Of a value, with those of all that is inside it. A longer one is cut."""
_ITEMS_OF_TEXT: Final = 100
"""What a value that becomes text counts for: making it takes as long as so many items."""
CUT: Final = "\u2026"
_PLAIN_CONTAINERS: Final = frozenset({list, tuple, dict, MappingProxyType, BoundedAttributes})
"""They give the same each time that they are read."""
_short: Final = reprlib.Repr()
_short.maxlevel = 3
replaced: Final[Counter[tuple[str, str]]] = Counter()
"""How many values of this process were replaced, by queue and reason."""


class _Inside(NamedTuple):
    """Where a value is: the ids of the containers around it, and how many items the whole may still have."""

    above: tuple[int, ...]
    left: list[int]


class OtlpValues:
    """Replaces what OTLP cannot carry, and counts it. What it can carry is returned as the same object. Raises nothing."""

    def __init__(self, queue: str) -> None:
        self._queue = queue

    def count(self, reason: str) -> None:
        replaced[self._queue, reason] += 1

    def text(self, value: Any) -> Any:
        """A text, or None. A lone surrogate becomes U+FFFD; a pair of surrogates becomes the character that it stands for."""
        if value is None:
            return value
        if not isinstance(value, str):
            self.count(TYPE)
            return _as_text(value)
        plain = value if type(value) is str else str.__str__(value)  # a subclass may do anything
        valid = valid_unicode(plain)
        if valid is not plain:
            self.count(TEXT)
        return valid

    def integer(self, value: int, bounds: tuple[int, int] = _INT64) -> int:
        """An integer within 64 bits: what is outside is clamped."""
        value = value if type(value) is int else int.__int__(value)  # a subclass may do anything
        lowest, highest = bounds
        if lowest <= value <= highest:
            return value
        self.count(INTEGER)
        return min(max(value, lowest), highest)

    def time(self, value: Any) -> int | None:
        """Nanoseconds since 1970: an integer, or None. A time of another type is 0, which means unknown."""
        if value is None or type(value) is int:
            return value if value is None else self.integer(value, _UINT64)
        self.count(TYPE)
        is_number = isinstance(value, int | float) and math.isfinite(value)
        return self.integer(int(value), _UINT64) if is_number else 0

    def number(self, value: Any) -> Any:
        """A measured number: an integer over 64 bits becomes a float, which is what it is nearest to."""
        if type(value) is float or (type(value) is int and _INT64[0] <= value <= _INT64[1]):
            return value
        self.count(INTEGER if isinstance(value, int) else TYPE)
        try:
            return float(value)
        except Exception:  # noqa: BLE001  # a foreign number may raise anything
            return math.nan

    def value(self, value: Any, inside: _Inside | None = None) -> Any:
        """A value of any type, and everything inside it.

        Args:
            value: what is inside itself, or too deep inside others, becomes text. What is too long is cut.
            inside: where it is, if it is in another one.
        """
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | float | bytes):
            return value
        if isinstance(value, int):
            return self.integer(value)
        return self._container(value, inside or _Inside((), [MAX_ITEMS]))

    def _container(self, value: Any, inside: _Inside) -> Any:
        below = _Inside((*inside.above, id(value)), inside.left)
        try:
            if isinstance(value, bytearray | memoryview):
                return bytes(value)
            if id(value) not in inside.above and len(inside.above) < _MAX_DEPTH:
                if isinstance(value, Mapping):
                    return self._mapping(value, below)
                if isinstance(value, Sequence | AbstractSet):
                    return self._items(value, below)
        except Exception:  # noqa: BLE001, S110  # a foreign container, or one that another thread changes
            pass
        self.count(TYPE)
        inside.left[0] -= _ITEMS_OF_TEXT
        return _as_text(value) if inside.left[0] > 0 else CUT

    def _items(self, values: Any, inside: _Inside) -> Any:
        items, is_whole = self._first(values, inside)
        kept = [self.value(each, inside) for each in items]
        if not is_whole:
            return [*kept, CUT]
        is_same = type(values) in _PLAIN_CONTAINERS and all(new is old for new, old in zip(kept, items, strict=True))
        return values if is_same else kept

    def _mapping(self, values: Mapping[Any, Any], inside: _Inside) -> Any:
        kept: dict[str, Any] = {}
        items, is_same = self._first(values.items(), inside)
        is_same = is_same and type(values) in _PLAIN_CONTAINERS
        for name, each in items:
            key, value = self.text(name if name is not None else "None"), self.value(each, inside)
            is_same = is_same and key is name and value is each
            while key in kept:  # two names that are one after their repair
                key += "\ufffd"
            kept[key] = value
        return values if is_same else kept

    def _first(self, values: Iterable[Any], inside: _Inside) -> tuple[list[Any], bool]:
        """As many items as the whole may still have, and whether these are all."""
        left = max(inside.left[0], 0)
        items = list(islice(values, left + 1))
        is_whole = len(items) <= left
        del items[left:]
        inside.left[0] -= len(items)
        if not is_whole:
            self.count(TYPE)
        return items, is_whole

    def attributes(self, attributes: Any) -> Any:
        """Attributes; those of the SDK keep the number of those that were dropped."""
        if not attributes:
            return attributes
        kept = self.value(attributes)
        if kept is attributes or not isinstance(attributes, BoundedAttributes):
            return kept
        bounded = BoundedAttributes(attributes=kept)
        bounded.dropped = attributes.dropped
        return bounded


def _as_text(value: Any) -> str:
    """A value as text; a container shortened, since what is in it may be without end."""
    if not isinstance(value, Mapping | Sequence | AbstractSet):
        return to_text(value)
    try:
        return to_text(_short.repr(value))
    except Exception:  # noqa: BLE001  # a foreign container
        return f"<{type(value).__name__}>"
