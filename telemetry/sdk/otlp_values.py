"""Values as OTLP can carry them. Protobuf refuses others, such as a lone surrogate, and the whole batch with them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes

from telemetry.json_safe import to_text, valid_unicode

TEXT: Final = "text"
INTEGER: Final = "integer"
TYPE: Final = "type"
_INT64: Final = (-(2**63), 2**63 - 1)
_UINT64: Final = (0, 2**64 - 1)
_MAX_DEPTH: Final = 24
"""Levels of containers. Receivers read at most 100 levels of messages, and a mapping takes three."""
replaced: Final[Counter[tuple[str, str]]] = Counter()
"""How many values of this process were replaced, by queue and reason."""


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
            return to_text(value)
        valid = valid_unicode(value)
        if valid is not value:
            self.count(TEXT)
        return valid

    def integer(self, value: int, bounds: tuple[int, int] = _INT64) -> int:
        """An integer within 64 bits: what is outside is clamped."""
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

    def value(self, value: Any, above: tuple[int, ...] = ()) -> Any:
        """A value of any type, and everything inside it.

        Args:
            value: what is inside itself, or too deep inside others, becomes text.
            above: the ids of the containers that it is in.
        """
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | float | bytes):
            return value
        if isinstance(value, int):
            return self.integer(value)
        return self._container(value, above)

    def _container(self, value: Any, above: tuple[int, ...]) -> Any:
        inside = (*above, id(value))
        try:
            if isinstance(value, bytearray | memoryview):
                return bytes(value)
            if id(value) not in above and len(above) < _MAX_DEPTH:
                if isinstance(value, Mapping):
                    return self._mapping(value, inside)
                if isinstance(value, Sequence | AbstractSet):
                    return self._items(value, inside)
        except Exception:  # noqa: BLE001, S110  # a foreign container, or one that another thread changes
            pass
        self.count(TYPE)
        return to_text(value)

    def _items(self, values: Any, inside: tuple[int, ...]) -> Any:
        items = list(values)
        kept = [self.value(each, inside) for each in items]
        is_same = isinstance(values, Sequence) and all(new is old for new, old in zip(kept, items, strict=True))
        return values if is_same else kept

    def _mapping(self, values: Mapping[Any, Any], inside: tuple[int, ...]) -> Any:
        kept: dict[str, Any] = {}
        is_same = True
        for name, each in values.items():
            key, value = self.text(name if name is not None else "None"), self.value(each, inside)
            is_same = is_same and key is name and value is each
            while key in kept:  # two names that are one after their repair
                key += "\ufffd"
            kept[key] = value
        return values if is_same else kept

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
