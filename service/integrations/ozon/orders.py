"""PostingSource: the lists of Ozon's orders, read whole once, and then by what is recent and what has changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from service.integrations.http.client import ApiClient
from service.integrations.marketplace import START, Order, Page, Position
from service.integrations.ozon.client import post
from service.integrations.ozon.errors import _SERVICE
from service.integrations.ozon.fields import Malformed, moment_in, optional_moment_in, optional_text_in, stamp, text_in
from service.integrations.ozon.order_payloads import order_of
from service.integrations.ozon.pagination import ApiPage, CursorPage, pages, part_of

_LIMIT: Final = 100
_BACKLOG: Final = timedelta(days=90)
_LONGEST: Final = timedelta(days=364)  # with the day ahead, the year that Ozon allows
_AHEAD: Final = timedelta(days=1)  # a clock that is slow must not hide the newest
_OVERLAP: Final = timedelta(hours=2)

ALL: Final = "all"
RECENT: Final = "recent"
CHANGED: Final = "changed"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of selling. What was ordered in the `window` before the last reading is read again.

    Attributes:
        changes: the method can be asked for what has changed since a moment, however old it is.
    """

    name: str
    endpoint: str
    window: timedelta
    changes: bool


FBS: Final = Scheme("fbs", "/v4/posting/fbs/list", timedelta(days=3), changes=True)
FBO: Final = Scheme("fbo", "/v3/posting/fbo/list", timedelta(days=30), changes=False)


@dataclass(frozen=True, slots=True)
class ReadState:
    """A reading in progress: it goes on with the period that it began with, however long it was interrupted.

    Attributes:
        last: when the last reading began that came to its end.
    """

    phase: str
    since: datetime
    to: datetime
    began: datetime
    last: datetime | None
    cursor: str = ""

    @classmethod
    def begin(cls, last: datetime | None, window: timedelta, now: datetime) -> Self:
        to = now + _AHEAD
        if last is None:
            return cls(ALL, now - _BACKLOG, to, now, None)
        last = min(last, now)  # of a clock that was fast
        return cls(RECENT, max(last - window, now - _LONGEST), to, now, last)

    @classmethod
    def resume(cls, position: Position) -> Self | None:
        """None where no reading was interrupted, or what is kept of it can't be read."""
        try:
            since, to, began = (moment_in(position, field) for field in ("since", "to", "reading"))
            last, cursor = optional_moment_in(position, "began"), optional_text_in(position, "cursor", longest=None)
            phase = text_in(position, "phase")
        except Malformed:
            return None
        return cls(phase, since, to, began, last, cursor) if phase in ((RECENT, CHANGED) if last else (ALL,)) else None

    def position(self) -> Position:
        moments = {"since": self.since, "to": self.to, "reading": self.began}
        within = {field: moment.isoformat() for field, moment in moments.items()}
        return {**_ended(self.last), **within, "phase": self.phase, "cursor": self.cursor}

    def filter(self) -> dict[str, Any]:
        period = {"since": stamp(self.since), "to": stamp(self.to)}
        if self.phase != CHANGED or self.last is None:
            return period
        return period | {"last_changed_status_date": {"from": stamp(self.last - _OVERLAP), "to": stamp(self.to)}}


class PostingSource:
    """The orders of one scheme. The position holds when the last whole reading `began`, and the reading in progress."""

    def __init__(self, scheme: Scheme, client: ApiClient, now: Callable[[], datetime]) -> None:
        self.name = f"{_SERVICE}.orders.{scheme.name}"
        self._scheme = scheme
        self._client = client
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Order]]:
        reading: ReadState | None = ReadState.resume(position) or self._begin(position)
        while reading is not None:
            following = self._following(reading)
            for step in self._steps(reading):
                orders = [order_of(row, self._scheme.name, step.as_of) for row in step.rows]
                yield Page(orders, _behind(step, reading, following))
            reading = following

    def _begin(self, position: Position) -> ReadState:
        try:
            last = optional_moment_in(position, "began")
        except Malformed:
            last = None
        return ReadState.begin(last, self._scheme.window, self._now())

    def _following(self, reading: ReadState) -> ReadState | None:
        if reading.phase != RECENT or not self._scheme.changes:
            return None
        return replace(reading, phase=CHANGED, since=reading.began - _LONGEST, cursor="")

    def _steps(self, reading: ReadState) -> Iterator[CursorPage]:
        return pages(lambda cursor: self._ask(reading, cursor), reading.cursor)

    def _ask(self, reading: ReadState, cursor: str) -> ApiPage:
        as_of = self._now()
        body: dict[str, Any] = {"filter": reading.filter(), "limit": _LIMIT, "sort_dir": "ASC"}
        if cursor:
            body["cursor"] = cursor
        part = part_of(post(self._client, self._scheme.endpoint, body), "postings", "cursor", as_of)
        return part if part.cursor else replace(part, has_next=False)


def _behind(step: CursorPage, reading: ReadState, following: ReadState | None) -> Position:
    """Behind a list without an end the reading begins anew: its cursor would lead into the circle again."""
    if step.endless:
        return _ended(reading.last)
    if step.cursor is not None:
        return replace(reading, cursor=step.cursor).position()
    return following.position() if following else _ended(reading.began)


def _ended(began: datetime | None) -> Position:
    return {"began": began.isoformat()} if began else START
