"""Keyset pagination: a page begins after the last item of the previous one, whatever has changed since."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Generic, TypeVar

from service.sandbox.ozon.errors import invalid
from service.sandbox.ozon.method import rfc3339

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[_Item]):
    """Items, and whether more follow."""

    items: Sequence[_Item]
    has_next: bool

    @classmethod
    def first(cls, matches: Iterable[_Item], limit: int) -> "KeysetPage[_Item]":
        """The first `limit` of the matches."""
        items = list(islice(matches, limit + 1))
        return cls(items[:limit], len(items) > limit)


def items_after(items: Sequence[_Item], after: int | None, direction: str) -> Iterator[_Item]:
    """The items after a number, in a direction. `items` are oldest first, and their index is their number."""
    if direction == "ASC":
        return iter(items[0 if after is None else after + 1 :])
    return reversed(items if after is None else items[:after])


def encode_cursor(number: int, timestamp: datetime) -> str:
    return _encode([{"name": "in_process_at", "value": rfc3339(timestamp)}, {"name": "id", "value": str(number)}])


def end_cursor() -> str:
    """Not empty, as at Ozon: a client that ignores `has_next` starts again."""
    return _encode([])


def _encode(fields: list[dict[str, str]]) -> str:
    return base64.b64encode(json.dumps({"fields": fields}, separators=(",", ":")).encode()).decode()


def decode_cursor(cursor: str) -> int | None:
    """The number of the last item before the cursor; None for the beginning.

    Raises:
        ApiError: the cursor is invalid.
    """
    if not cursor:
        return None
    try:
        fields = json.loads(base64.b64decode(cursor, validate=True))["fields"]
        return max(0, int(fields[1]["value"])) if fields else None
    except (ValueError, KeyError, IndexError, TypeError):
        raise invalid("Request validation error: invalid Cursor: value must be a cursor of this method") from None
