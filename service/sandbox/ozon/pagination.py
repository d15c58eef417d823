"""Paging by key: the next page begins after the last thing of this one, whatever has come, gone or changed since."""

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
class Page(Generic[_Item]):
    """Some things, and whether there are more behind them."""

    items: Sequence[_Item]
    has_next: bool

    @classmethod
    def of(cls, found: Iterable[_Item], limit: int) -> "Page[_Item]":
        items = list(islice(found, limit + 1))
        return cls(items[:limit], len(items) > limit)


def onwards(items: Sequence[_Item], after: int | None, direction: str) -> Iterator[_Item]:
    """`items` are in the order of their moments, and each is at the index that is its number."""
    if direction == "ASC":
        return iter(items[0 if after is None else after + 1 :])
    return reversed(items if after is None else items[:after])


def cursor_after(number: int, moment: datetime) -> str:
    return _encoded([{"name": "in_process_at", "value": rfc3339(moment)}, {"name": "id", "value": str(number)}])


def cursor_at_end() -> str:
    """Not empty: a client that pages until it is, and does not look at `has_next`, begins again."""
    return _encoded([])


def _encoded(fields: list[dict[str, str]]) -> str:
    return base64.b64encode(json.dumps({"fields": fields}, separators=(",", ":")).encode()).decode()


def number_in(cursor: str) -> int | None:
    """Raises:
    Refused: it is no cursor.
    """
    if not cursor:
        return None
    try:
        fields = json.loads(base64.b64decode(cursor, validate=True))["fields"]
        return max(0, int(fields[1]["value"])) if fields else None
    except (ValueError, KeyError, IndexError, TypeError):
        raise invalid("Request validation error: invalid Cursor: value must be a cursor of this method") from None
