"""The methods that list postings: FBS from the seller's warehouse, FBO from Ozon's."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from service.sandbox.fake_service import Environment
from service.sandbox.ozon.errors import invalid
from service.sandbox.ozon.fbo_payload import fbo_payload
from service.sandbox.ozon.fbs_payload import fbs_payload
from service.sandbox.ozon.method import Body, Direction, Method, Timestamp, WholeNumber, in_range
from service.sandbox.ozon.pagination import KeysetPage, decode_cursor, encode_cursor, end_cursor, items_after
from service.sandbox.ozon.posting_model import Change, Posting, Scheme
from service.sandbox.ozon.posting_payload import DELIVERY_METHODS, IncludedParts, PostingView
from service.sandbox.simulation import Timeline

_BACKLOG_SPAN: Final = timedelta(days=60)
_MAX_PERIOD: Final = timedelta(days=366)


class ChangePeriod(Body):
    """Selects postings by the time of their last change."""

    begin: Timestamp | None = Field(None, alias="from")
    end: Timestamp | None = Field(None, alias="to")

    def match(self, change: Change) -> bool:
        return (self.begin is None or self.begin <= change.changed_at) and (
            self.end is None or change.changed_at <= self.end
        )


class Period(Body):
    """Selects postings by the start of their processing; without one, which means late payment, by their creation."""

    since: Timestamp
    to: Timestamp

    def check(self) -> None:
        """Raises:
        ApiError: the period is too long, or ends before it begins.
        """
        if self.to - self.since > _MAX_PERIOD:
            raise invalid("PERIOD_IS_TOO_LONG")
        if self.to < self.since:
            raise invalid("Request validation error: invalid Filter.To: value must be greater than Since")


FBOStatus = Literal["awaiting_packaging", "awaiting_deliver", "delivering", "delivered", "cancelled"]


class FBOFilter(Period):
    """Has no filter by change: a client must read the same period again to see changes."""

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
    "sent_by_seller", "awaiting_verification", "cancelled_from_split_pending",
]  # fmt: skip


class FBSFilter(Period):
    statuses: tuple[FBSStatus, ...] = ()
    order_id: int = 0
    order_numbers: tuple[str, ...] = ()
    delivery_method_ids: tuple[int, ...] = ()
    provider_ids: tuple[int, ...] = ()
    warehouse_ids: tuple[int, ...] = ()
    last_changed_status_date: ChangePeriod = ChangePeriod()

    def match(self, posting: Posting, change: Change) -> bool:
        method = DELIVERY_METHODS[posting.number % len(DELIVERY_METHODS)]
        filters = (
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
            and all(not allowed or value in allowed for allowed, value in filters)
        )


class PostingFBOListRequest(Body):
    filter: FBOFilter
    limit: Annotated[WholeNumber, in_range(1, 100)] = 0
    cursor: str = ""
    sort_dir: Direction = "ASC"
    included: IncludedParts = Field(IncludedParts(), alias="with")


class PostingFBSListRequest(Body):
    filter: FBSFilter
    limit: Annotated[WholeNumber, in_range(1, 100)] = 0
    cursor: str = ""
    sort_dir: Direction = "ASC"
    included: IncludedParts = Field(IncludedParts(), alias="with")


class PostingMethods:
    """The postings, which no method changes, and the methods that list them."""

    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        options = environment.options
        self._timeline = Timeline(
            environment.simulation, options.ozon_postings, _BACKLOG_SPAN, options.ozon_postings_every
        )
        self._postings: list[Posting] = []

    def methods(self) -> dict[str, Method]:
        return {
            "/v4/posting/fbs/list": Method(PostingFBSListRequest, self._list_fbs),
            "/v3/posting/fbo/list": Method(PostingFBOListRequest, self._list_fbo),
            "/v3/posting/fbs/list": Method(Body, _retired),
            "/v3/posting/fbs/unfulfilled/list": Method(Body, _retired),
        }

    def all(self) -> list[Posting]:
        """The postings that exist now, oldest first. The index of a posting is its number."""
        count = self._timeline.count()
        self._postings.extend(Posting.generate(self._timeline, number) for number in range(len(self._postings), count))
        return self._postings[:count]

    def expected_state(self) -> Iterator[dict[str, Any]]:
        now = self._simulation.now()
        for posting in self.all():
            status = posting.last_change(now).status
            yield {"posting_number": posting.posting_number, "status": status, "scheme": posting.scheme}

    def _list_fbs(self, request: PostingFBSListRequest) -> dict[str, Any]:
        now = self._simulation.now()
        page = self._page("fbs", request, now)
        return _response(
            page, [fbs_payload(PostingView(self._simulation, posting, now, request.included)) for posting in page.items]
        )

    def _list_fbo(self, request: PostingFBOListRequest) -> dict[str, Any]:
        now = self._simulation.now()
        page = self._page("fbo", request, now)
        return _response(
            page, [fbo_payload(PostingView(self._simulation, posting, now, request.included)) for posting in page.items]
        )

    def _page(
        self, scheme: Scheme, request: PostingFBSListRequest | PostingFBOListRequest, now: datetime
    ) -> KeysetPage[Posting]:
        request.filter.check()
        matches = (
            posting
            for posting in items_after(self.all(), decode_cursor(request.cursor), request.sort_dir)
            if posting.scheme == scheme and request.filter.match(posting, posting.last_change(now))
        )
        return KeysetPage.first(matches, request.limit)


def _response(page: KeysetPage[Posting], payloads: list[dict[str, Any]]) -> dict[str, Any]:
    """The response of both methods: unlike in older versions, there is no `result` around it."""
    cursor = encode_cursor(page.items[-1].number, page.items[-1].created_at) if page.has_next else end_cursor()
    return {"cursor": cursor, "has_next": page.has_next, "postings": payloads}


def _retired(_request: Body) -> dict[str, Any]:
    raise invalid("obsolete method cannot be used")
