"""Paging: a list of Ozon's is read from cursor to cursor until it ends, and it is noticed when it does not."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.integrations.http.errors import EndlessPages, Forbidden, Rejected, Unauthorized, Unreadable
from service.integrations.ozon.errors import _SERVICE

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiPage:
    """One answer. `has_next` is None where it does not say, and then the next part says it by being empty."""

    rows: list[Any]
    cursor: str
    has_next: bool | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CursorPage:
    """Rows, and the cursor behind them: None behind the last, or where the list turns in a circle (`endless`)."""

    rows: list[Any]
    as_of: datetime
    cursor: str | None
    endless: bool


def part_of(answer: Mapping[str, Any], rows: str, cursor: str, as_of: datetime) -> ApiPage:
    """Raises:
    Unreadable: the answer has another shape, such as that of an older version of the method.
    """
    found = answer.get(rows) or [] if rows in answer else None
    behind = answer.get(cursor) or ""
    if not isinstance(found, list) or not isinstance(behind, str):
        raise Unreadable(f"Ozon's answer has no list of `{rows}` with a `{cursor}`.")
    has_next = answer.get("has_next")
    return ApiPage(found, behind, has_next if isinstance(has_next, bool) else None, as_of)


def pages(ask: Callable[[str], ApiPage], cursor: str) -> Iterator[CursorPage]:
    """Raises:
    EndlessPages: behind the step that says so.
    """
    seen = {"", cursor}
    part = _first(ask, cursor)
    while part.rows and part.has_next is not False and part.cursor not in seen:
        yield CursorPage(part.rows, part.as_of, part.cursor, endless=False)
        seen.add(part.cursor)
        part = ask(part.cursor)
    endless = bool(part.rows) and part.has_next is True
    yield CursorPage(part.rows, part.as_of, None, endless)
    if endless:
        raise EndlessPages("Ozon gives the same page again and again, and says that there are more.")


def _first(ask: Callable[[str], ApiPage], cursor: str) -> ApiPage:
    """A cursor that was kept may be refused by now: the list is then read from its beginning."""
    try:
        return ask(cursor)
    except Rejected as error:
        if not cursor or isinstance(error, Unauthorized | Forbidden):
            raise
        _log.info("Ozon does not go on from where it was read to: %s", error, extra={"component": _SERVICE})
        return ask("")
