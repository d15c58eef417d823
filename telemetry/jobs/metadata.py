"""The metadata of a run within its limit: what exceeds it is cut, the largest values first, and a mark says so."""

import json
from collections.abc import Iterable
from typing import Final

from telemetry.json_safe import Json, dumps, loads
from telemetry.redaction.policy import redact, redact_value

MAX_METADATA_BYTES: Final = 64 * 2**10
"""Limit of the metadata as JSON, in ASCII."""
MARK: Final = "_truncated"
"""The key of the mark in metadata that is cut."""
_COARSE_LENGTH: Final = 2 * MAX_METADATA_BYTES
_MAX_PARSED: Final = 16 * MAX_METADATA_BYTES
_SMALL: Final = MAX_METADATA_BYTES // 16  # a character takes 12 bytes at most
_MARK_ROOM: Final = 160


def to_attribute(metadata: object) -> str:
    """The metadata as JSON, for the attribute of a span."""
    text = dumps(metadata)
    if len(text) <= MAX_METADATA_BYTES:
        return text
    return json.dumps(bounded(loads(text)))


def from_attribute(attribute: object) -> dict[str, Json]:
    """The metadata in the attribute of a span, redacted and within the limit."""
    if isinstance(attribute, str) and len(attribute) > _MAX_PARSED:
        return bounded({"text": redact_value(attribute[:_COARSE_LENGTH]), **mark(len(attribute))})
    is_small = attribute is None or (isinstance(attribute, str) and len(attribute) < _SMALL)
    metadata = loads(attribute) if is_small else bounded(loads(attribute))
    redacted: dict[str, Json] = redact_value(metadata)
    return redacted if is_small else bounded(redacted)  # what is redacted may be longer


def mark(size: int) -> dict[str, Json]:
    return {MARK: f"cut: {size} bytes of JSON exceed the limit of {MAX_METADATA_BYTES}"}


def bounded(metadata: dict[str, Json], limit: int = MAX_METADATA_BYTES) -> dict[str, Json]:
    """Cut values, the smallest last, until the metadata fits into so many bytes as JSON."""
    size = len(json.dumps(metadata))
    if size <= limit:
        return metadata
    earlier = metadata.get(MARK)
    marked = {MARK: earlier} if isinstance(earlier, str) and len(earlier) < _MARK_ROOM // 2 else mark(size)
    sizes = {key: len(key) + len(json.dumps(value)) for key, value in metadata.items() if key != MARK}
    kept = _Cut(limit - _MARK_ROOM).mapping((key, metadata[key]) for key in sorted(sizes, key=sizes.__getitem__))
    return {**{key: kept[key] for key in sizes if key in kept}, **marked}


class _Cut:
    """Copies values until `left` bytes of JSON are used up."""

    def __init__(self, left: int) -> None:
        self._left = left

    def mapping(self, items: Iterable[tuple[str, Json]]) -> dict[str, Json]:
        kept: dict[str, Json] = {}
        for key, value in items:
            if not self._takes(len(json.dumps(key)) + len('"": , ')):
                break
            kept[key] = self._value(value)
        return kept

    def _sequence(self, values: list[Json]) -> list[Json]:
        kept: list[Json] = []
        for value in values:
            if not self._takes(len('"", ')):
                break
            kept.append(self._value(value))
        return kept

    def _value(self, value: Json) -> Json:
        if isinstance(value, dict):
            return self.mapping(value.items())
        if isinstance(value, list):
            return self._sequence(value)
        if isinstance(value, str):
            return self._text(value)
        self._left -= len(json.dumps(value))
        return value

    def _text(self, text: str) -> str:
        """Redacted before it is cut, so that no part of a secret is left at the place of the cut."""
        ending = ""
        if len(json.dumps(text)) > self._left:
            text = redact(text[:_COARSE_LENGTH])
        while (size := len(json.dumps(text + ending))) > self._left and text:
            ending = "…"
            text = text[: len(text) * max(0, self._left - len(json.dumps(ending))) // size]
        self._left -= size
        return text + ending

    def _takes(self, size: int) -> bool:
        self._left -= size
        return self._left >= 0
