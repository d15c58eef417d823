"""The postings of Ozon's seller, and the two methods that list them: FBS from the seller's stock, FBO from Ozon's."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from service.sandbox.fake_service import Environment
from service.sandbox.ozon.errors import invalid
from service.sandbox.ozon.fbo import fbo
from service.sandbox.ozon.fbs import fbs
from service.sandbox.ozon.method import Body, Direction, Method, Moment, Whole, between
from service.sandbox.ozon.pagination import Page, cursor_after, cursor_at_end, number_in, onwards
from service.sandbox.ozon.posting_model import Change, Posting, Scheme
from service.sandbox.ozon.posting_payload import METHODS, Shown, With
from service.sandbox.simulation import Timeline

_SPAN: Final = timedelta(days=60)
_LONGEST: Final = timedelta(days=366)


class ChangedWithin(Body):
    begin: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")

    def match(self, change: Change) -> bool:
        return (self.begin is None or self.begin <= change.at) and (self.end is None or change.at <= self.end)


class Period(Body):
    """By the moment at which a posting was taken up; one that is paid late has none, and counts by when it came to be."""

    since: Moment
    to: Moment

    def check(self) -> None:
        """Raises:
        Refused: it is longer than Ozon allows, or ends before it begins.
        """
        if self.to - self.since > _LONGEST:
            raise invalid("PERIOD_IS_TOO_LONG")
        if self.to < self.since:
            raise invalid("Request validation error: invalid Filter.To: value must be greater than Since")


FBOStatus = Literal["awaiting_packaging", "awaiting_deliver", "delivering", "delivered", "cancelled"]


class FBOFilter(Period):
    """It knows nothing of changes: who wants them reads the same period again."""

    statuses: tuple[FBOStatus, ...] = ()
    posting_numbers: tuple[str, ...] = ()
    order_numbers: tuple[str, ...] = ()

    def match(self, posting: Posting, change: Change) -> bool:
        return (
            self.since <= posting.created_at <= self.to
            and (not self.statuses or change.status in self.statuses)
            and (not self.posting_numbers or posting.posting_number in self.posting_numbers)
            and (not self.order_numbers or posting.order_number in self.order_numbers)
        )


FBSStatus = Literal[
    "awaiting_registration", "acceptance_in_progress", "awaiting_approve", "awaiting_packaging", "awaiting_deliver",
    "arbitration", "client_arbitration", "delivering", "driver_pickup", "delivered", "cancelled", "not_accepted",
    "sent_by_seller",
]  # fmt: skip


class FBSFilter(Period):
    statuses: tuple[FBSStatus, ...] = ()
    order_id: int = 0
    order_numbers: tuple[str, ...] = ()
    delivery_method_ids: tuple[int, ...] = ()
    provider_ids: tuple[int, ...] = ()
    warehouse_ids: tuple[int, ...] = ()
    last_changed_status_date: ChangedWithin = ChangedWithin()

    def match(self, posting: Posting, change: Change) -> bool:
        method = METHODS[posting.number % len(METHODS)]
        wanted = (
            (self.statuses, change.status),
            ((self.order_id,) if self.order_id else (), posting.order_id),
            (self.order_numbers, posting.order_number),
            (self.delivery_method_ids, method.id),
            (self.provider_ids, method.provider_id),
            (self.warehouse_ids, method.warehouse_id),
        )
        return (
            self.since <= posting.created_at <= self.to
            and self.last_changed_status_date.match(change)
            and all(not some or value in some for some, value in wanted)
        )


class PostingFBOListRequest(Body):
    filter: FBOFilter
    limit: Annotated[Whole, between(1, 1000)] = 0
    cursor: str = ""
    sort_dir: Direction = "ASC"
    wanted: With = Field(With(), alias="with")


class PostingFBSListRequest(Body):
    filter: FBSFilter
    limit: Annotated[Whole, between(1, 100)] = 0
    cursor: str = ""
    sort_dir: Direction = "ASC"
    wanted: With = Field(With(), alias="with")


class Postings:
    """They only ever move on by themselves: nothing that the sandbox serves changes one."""

    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        options = environment.options
        self._timeline = Timeline(environment.simulation, options.ozon_postings, _SPAN, options.ozon_postings_every)
        self._drawn: list[Posting] = []

    def table(self) -> dict[str, Method]:
        return {
            "/v4/posting/fbs/list": Method(PostingFBSListRequest, self._list_fbs),
            "/v3/posting/fbo/list": Method(PostingFBOListRequest, self._list_fbo),
            "/v3/posting/fbs/list": Method(Body, _retired),
            "/v3/posting/fbs/unfulfilled/list": Method(Body, _retired),
        }

    def all(self) -> list[Posting]:
        """Oldest first: the posting at an index has that number."""
        count = self._timeline.count()
        self._drawn.extend(Posting.drawn(self._timeline, number) for number in range(len(self._drawn), count))
        return self._drawn[:count]

    def expected_state(self) -> Iterator[dict[str, Any]]:
        now = self._simulation.now()
        for posting in self.all():
            status = posting.last_change(now).status
            yield {"posting_number": posting.posting_number, "status": status, "scheme": posting.scheme}

    def _list_fbs(self, asked: PostingFBSListRequest) -> dict[str, Any]:
        now = self._simulation.now()
        page = self._page("fbs", asked, now)
        return _answer(page, [fbs(Shown(self._simulation, posting, now, asked.wanted)) for posting in page.items])

    def _list_fbo(self, asked: PostingFBOListRequest) -> dict[str, Any]:
        now = self._simulation.now()
        page = self._page("fbo", asked, now)
        return _answer(page, [fbo(Shown(self._simulation, posting, now, asked.wanted)) for posting in page.items])

    def _page(
        self, scheme: Scheme, asked: PostingFBSListRequest | PostingFBOListRequest, now: datetime
    ) -> Page[Posting]:
        asked.filter.check()
        found = (
            posting
            for posting in onwards(self.all(), number_in(asked.cursor), asked.sort_dir)
            if posting.scheme == scheme and asked.filter.match(posting, posting.last_change(now))
        )
        return Page.of(found, asked.limit)


def _answer(page: Page[Posting], shown: list[dict[str, Any]]) -> dict[str, Any]:
    """The postings stand at the root; the methods before these had a `result` around them."""
    cursor = cursor_after(page.items[-1].number, page.items[-1].created_at) if page.has_next else cursor_at_end()
    return {"cursor": cursor, "has_next": page.has_next, "postings": shown}


def _retired(_asked: Body) -> dict[str, Any]:
    raise invalid("obsolete method cannot be used")
