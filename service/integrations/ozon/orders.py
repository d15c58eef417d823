"""Lists of Ozon's orders (postings): read completely once, then by recent and changed ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from service.integrations.http.client import ApiClient
from service.integrations.marketplace import START, InvalidField, Order, Page, Position
from service.integrations.newer_rows import NewerRows
from service.integrations.ozon.client import post
from service.integrations.ozon.fields import (
    first_timestamp,
    format_timestamp,
    optional_text_field,
    optional_timestamp_field,
    text_field,
    timestamp_field,
)
from service.integrations.ozon.order_payloads import DATE_FIELDS, parse_order
from service.integrations.ozon.pagination import ApiPage, CursorPage, api_page, pages
from service.names import OZON

_PAGE_SIZE: Final = 100
_BACKLOG: Final = timedelta(days=90)
_MAX_PERIOD: Final = timedelta(days=364)  # with the day of clock skew, the year that Ozon allows
_MAX_CLOCK_SKEW: Final = timedelta(days=1)  # a slow clock must not hide the newest orders
_OVERLAP: Final = timedelta(hours=2)

ALL: Final = "all"
RECENT: Final = "recent"
CHANGED: Final = "changed"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A fulfilment scheme, and the method that lists its postings.

    Attributes:
        window: orders of this time before the last reading are read again.
        changes: the method can list the postings that changed since a timestamp, however old they are.
    """

    name: str
    endpoint: str
    window: timedelta
    changes: bool


FBS: Final = Scheme("fbs", "/v4/posting/fbs/list", timedelta(days=3), changes=True)
FBO: Final = Scheme("fbo", "/v3/posting/fbo/list", timedelta(days=30), changes=False)


@dataclass(frozen=True, slots=True)
class ReadState:
    """A reading in progress. It keeps its period when it is interrupted and resumed.

    Attributes:
        phase: ALL, RECENT or CHANGED.
        last: when the last complete reading began.
    """

    phase: str
    since: datetime
    to: datetime
    started_at: datetime
    last: datetime | None
    cursor: str = ""

    @classmethod
    def start(cls, last: datetime | None, window: timedelta, now: datetime) -> Self:
        to = now + _MAX_CLOCK_SKEW
        if last is None:
            return cls(ALL, now - _BACKLOG, to, now, None)
        last = min(last, now)  # written by a clock that was fast
        return cls(RECENT, max(last - window, now - _MAX_PERIOD), to, now, last)

    @classmethod
    def resume(cls, position: Position) -> Self | None:
        """The interrupted reading of a position; None if there is none, or the position is invalid."""
        try:
            since, to, started_at = (timestamp_field(position, field) for field in ("since", "to", "reading"))
            last, cursor = (
                optional_timestamp_field(position, "began"),
                optional_text_field(position, "cursor", max_length=None),
            )
            phase = text_field(position, "phase")
        except InvalidField:
            return None
        return (
            cls(phase, since, to, started_at, last, cursor)
            if phase in ((RECENT, CHANGED) if last else (ALL,))
            else None
        )

    def position(self) -> Position:
        timestamps = {"since": self.since, "to": self.to, "reading": self.started_at}
        in_progress = {field: timestamp.isoformat() for field, timestamp in timestamps.items()}
        return {**_complete(self.last), **in_progress, "phase": self.phase, "cursor": self.cursor}

    def filter(self) -> dict[str, Any]:
        period = {"since": format_timestamp(self.since), "to": format_timestamp(self.to)}
        if self.phase != CHANGED or self.last is None:
            return period
        return period | {
            "last_changed_status_date": {
                "from": format_timestamp(self.last - _OVERLAP),
                "to": format_timestamp(self.to),
            }
        }


class PostingSource:
    """The orders of one scheme. The position holds when the last complete reading `began`, and the reading in progress."""

    def __init__(self, scheme: Scheme, client: ApiClient, now: Callable[[], datetime]) -> None:
        self.name = f"{OZON}.orders.{scheme.name}"
        self._scheme = scheme
        self._client = client
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Order]]:
        state: ReadState | None = ReadState.resume(position) or self._start(position)
        while state is not None:
            next_state = self._next_state(state)
            for page in self._read(state):
                orders = [parse_order(row, self._scheme.name, page.as_of) for row in page.rows]
                yield Page(orders, _position_behind(page, state, next_state))
            state = next_state

    def _start(self, position: Position) -> ReadState:
        try:
            last = optional_timestamp_field(position, "began")
        except InvalidField:
            last = None
        return ReadState.start(last, self._scheme.window, self._now())

    def _next_state(self, state: ReadState) -> ReadState | None:
        if state.phase != RECENT or not self._scheme.changes:
            return None
        return replace(state, phase=CHANGED, since=state.started_at - _MAX_PERIOD, cursor="")

    def _read(self, state: ReadState) -> Iterator[CursorPage]:
        newer = NewerRows(state.started_at, lambda row: first_timestamp(row, DATE_FIELDS))
        return pages(lambda cursor: self._fetch(state, cursor), state.cursor, newer)

    def _fetch(self, state: ReadState, cursor: str) -> ApiPage:
        as_of = self._now()
        body: dict[str, Any] = {"filter": state.filter(), "limit": _PAGE_SIZE, "sort_dir": "ASC"}
        if cursor:
            body["cursor"] = cursor
        page = api_page(post(self._client, self._scheme.endpoint, body), "postings", "cursor", as_of)
        return page if page.cursor else replace(page, has_next=False)


def _position_behind(page: CursorPage, state: ReadState, next_state: ReadState | None) -> Position:
    """Behind an endless list the reading starts again, since its cursor would lead into the loop."""
    if page.endless:
        return _complete(state.last)
    if page.cursor is not None:
        return replace(state, cursor=page.cursor).position()
    return next_state.position() if next_state else _complete(state.started_at)


def _complete(started_at: datetime | None) -> Position:
    return {"began": started_at.isoformat()} if started_at else START
