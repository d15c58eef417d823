"""Cursor pagination of Ozon's lists, with a guard against lists without an end."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.integrations.http.errors import EndlessPages, Forbidden, Rejected, Unauthorized, Unreadable
from service.integrations.newer_rows import NewerRows
from service.names import OZON

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiPage:
    """One response. If it does not say `has_next` (None), the list ends with an empty page."""

    rows: list[Any]
    cursor: str
    has_next: bool | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CursorPage:
    """Rows and the cursor behind them. It is None behind the last row, or if the cursors repeat (`endless`)."""

    rows: list[Any]
    as_of: datetime
    cursor: str | None
    endless: bool


def api_page(response: Mapping[str, Any], rows: str, cursor: str, as_of: datetime) -> ApiPage:
    """Parse a response of a list.

    Args:
        response: the JSON object.
        rows: the name of the field with the rows.
        cursor: the name of the field with the cursor.
        as_of: when Ozon was asked.

    Raises:
        Unreadable: the response has another form, such as that of an older version of the method.
    """
    items = response.get(rows) or [] if rows in response else None
    next_cursor = response.get(cursor) or ""
    if not isinstance(items, list) or not isinstance(next_cursor, str):
        raise Unreadable(f"Ozon's response has no list of `{rows}` with a `{cursor}`.")
    has_next = response.get("has_next")
    return ApiPage(items, next_cursor, has_next if isinstance(has_next, bool) else None, as_of)


def pages(fetch: Callable[[str], ApiPage], cursor: str, newer: NewerRows) -> Iterator[CursorPage]:
    """Read a list from a cursor to its end, or to what was there when the reading began.

    Raises:
        EndlessPages: the cursors repeat. The `endless` page is yielded first.
    """
    seen = {"", cursor}
    page = _first(fetch, cursor)
    while page.rows and page.has_next is not False and page.cursor not in seen:
        if newer.end_after(page.rows):
            yield CursorPage(page.rows, page.as_of, None, endless=False)
            return
        yield CursorPage(page.rows, page.as_of, page.cursor, endless=False)
        seen.add(page.cursor)
        page = fetch(page.cursor)
    endless = bool(page.rows) and page.has_next is True
    yield CursorPage(page.rows, page.as_of, None, endless)
    if endless:
        raise EndlessPages("Ozon returns the same page repeatedly, and says that there are more.")


def _first(fetch: Callable[[str], ApiPage], cursor: str) -> ApiPage:
    """Ozon may reject a stored cursor by now. Then the list is read from its beginning."""
    try:
        return fetch(cursor)
    except Rejected as error:
        if not cursor or isinstance(error, Unauthorized | Forbidden):
            raise
        _log.info(
            "Ozon rejects the stored cursor; the source is read from its beginning: %s",
            error,
            extra={"component": OZON},
        )
        return fetch("")
