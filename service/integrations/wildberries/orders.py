"""The list of Wildberries' orders, read by the date of their last change, and their parser."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from service.integrations.http.api_response import ApiResponse
from service.integrations.http.client import ApiCall, ApiClient
from service.integrations.http.errors import EndlessPages
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.marketplace import (
    UNKNOWN_CURRENCY,
    InvalidField,
    InvalidPayload,
    Item,
    Order,
    Page,
    Position,
)
from service.integrations.odd_fields import OddFields
from service.integrations.wildberries.fields import (
    bool_field,
    digits_field,
    id_or_none,
    money_field,
    optional_text_field,
    require_object,
    text_field,
    timestamp_field,
    whitelist,
)
from service.integrations.wildberries.moscow_time import MOSCOW, NEVER, format_moscow
from service.names import WB

BACKLOG: Final = timedelta(days=90)
_DOWNLOAD_TIMEOUT: Final = 300.0  # a full page is about 50 MB
_MAX_BOUNDARY_IDS: Final = 500
_MIN_ROWS_OF_CUT_PAGE: Final = 1000  # Wildberries cuts a page at about 80,000 rows
_SECOND: Final = timedelta(seconds=1)
_SCHEMES: Final[Mapping[str, str]] = {"Склад WB": "fbo", "Склад продавца": "fbs"}
_WHITELIST: Final = frozenset(
    {
        "srid", "date", "lastChangeDate", "isCancel", "cancelDate", "nmId", "supplierArticle", "warehouseType", "subject",
        "priceWithDisc", "totalPrice", "finishedPrice", "gNumber",
    }
)  # fmt: skip


class OrderSource:
    """All orders since the last change that was seen (`Source[Order]`).

    `dateFrom` is inclusive and is the last change of the page before, so rows repeat. A reading ends with a page that
    reaches beyond its own beginning: what changes later is for the next one. Else it ends with a page without new rows.
    If that page is long, it may have been cut: the page a second later shows whether there is more.
    """

    name = f"{WB}.orders"

    def __init__(self, client: ApiClient, limit: RateLimit, now: Callable[[], datetime]) -> None:
        self._client = client
        self._limit = limit
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Order]]:
        began, reader = self._now(), self._begin(position)
        while True:
            page: Page[Order] = Page((), position)
            page.rows = reader.rows(self._fetch(reader.since).rows(), page, self._now())
            yield page
            position = page.position
            if (following := reader.next(began)) is None:
                return
            reader = following

    def _begin(self, position: Position) -> "_PageReader":
        if "since" not in position:
            return _PageReader((self._now() - BACKLOG).replace(microsecond=0))
        return _PageReader(timestamp_field(position, "since", MOSCOW), frozenset(position.get("boundary", ())))

    def _fetch(self, since: datetime) -> ApiResponse:
        parameters = {"dateFrom": format_moscow(since), "flag": 0}
        return self._client.call(
            ApiCall("GET", "/api/v1/supplier/orders", self._limit, parameters, timeout=_DOWNLOAD_TIMEOUT)
        )


class _PageReader:
    """Reads one page: counts its new rows, and finds where the next page begins.

    Rows from before `since` are read like all others. They move nothing, and do not count as new.

    Args:
        since: the `dateFrom` of the page.
        known: the ids of the orders of that timestamp that were read before.
        stalled: the page before had the same `since`.
    """

    def __init__(self, since: datetime, known: frozenset[str] = frozenset(), *, stalled: bool = False) -> None:
        self.since = since
        self.latest = since
        self._known = known
        self._stalled = stalled
        self._boundary = set(known)
        self._read = 0
        self._count = 0
        self._new = 0

    def rows(self, payloads: Iterable[Any], page: Page[Order], until: datetime) -> Iterator[Order | InvalidPayload]:
        """Parse the rows, and set the page's position behind the last one.

        An order with a change after `until` is not used as a position, since that would skip what comes between. It counts
        as changed at `since`, so that its next change is later.
        """
        for payload in payloads:
            order = parse_order(payload)
            if isinstance(order, Order):
                self._read += 1
                if order.as_of > until:
                    order = replace(order, as_of=self.since)
                elif order.as_of >= self.since.replace(microsecond=0):
                    self._note(order)
            yield order
        if self._count:
            page.position = self.position()

    def position(self) -> Position:
        boundary = sorted(self._boundary) if len(self._boundary) <= _MAX_BOUNDARY_IDS else []
        return {"since": format_moscow(self.latest), "boundary": boundary}

    def _note(self, order: Order) -> None:
        """Count an order. Earlier fractions of the second of `since` may repeat: the API may ignore fractions."""
        self._count += 1
        if order.as_of > self.latest:
            self.latest, self._boundary = order.as_of, set()
        if order.as_of > self.since or (order.as_of == self.since and order.external_id not in self._known):
            self._new += 1
        if order.as_of == self.latest:
            self._boundary.add(order.external_id)

    def next(self, began: datetime) -> "_PageReader | None":
        """The reader of the next page; None behind the last, and where the page reaches beyond `began`."""
        if self.latest > began:
            return None
        stalls = self.latest == self.since
        if self._new and not (stalls and self._stalled):
            return _PageReader(self.latest, frozenset(self._boundary), stalled=stalls)
        return _Probe(self.since + _SECOND) if self._read >= _MIN_ROWS_OF_CUT_PAGE else None


class _Probe(_PageReader):
    """Reads the page a second behind one that was long and had nothing new, which may have been cut."""

    def next(self, began: datetime) -> _PageReader | None:  # noqa: ARG002  # how far this page reaches says nothing
        """The page before again, if this one has rows: either it was cut, or they came while they were read.

        Raises:
            EndlessPages: this page is long, too, and leads no further.
        """
        if self._count:
            return _CutCheck(self.since - _SECOND, _PageReader(self.latest, frozenset(self._boundary)))
        if self._read >= _MIN_ROWS_OF_CUT_PAGE:
            raise EndlessPages("wb gives the same orders whatever date it is asked for, so they have no end.")
        return None


class _CutCheck(_PageReader):
    """Reads a page again behind which there are rows. If it has none of them, it was cut. It moves nothing."""

    def __init__(self, since: datetime, following: _PageReader) -> None:
        super().__init__(since)
        self._following = following

    def position(self) -> Position:
        return self._following.position()

    def next(self, began: datetime) -> _PageReader | None:
        """The reader of the page behind the probe.

        Raises:
            EndlessPages: the page was cut within one timestamp, and the rest of it is out of reach.
        """
        if self.latest < self.since + _SECOND:
            raise EndlessPages("wb has more orders with one timestamp than it returns.")
        return self._following if self._following.since <= began else None


def parse_order(payload: object) -> Order | InvalidPayload:
    """Parse one order (of one piece). A newer version of it has a later `lastChangeDate`."""
    try:
        return _order(require_object(payload))
    except InvalidField as error:
        return InvalidPayload(
            external_id=id_or_none(payload, "srid"), reason=str(error), payload=whitelist(payload, _WHITELIST)
        )


def _order(row: Mapping[str, Any]) -> Order:
    """Its id, its state and its last change have to be readable."""
    number, cancelled = text_field(row, "srid", 100), bool_field(row, "isCancel")
    as_of, odd = timestamp_field(row, "lastChangeDate", MOSCOW), OddFields()
    return Order(
        marketplace=WB,
        external_id=number,
        order_number=optional_text_field(row, "gNumber")[:100],
        scheme=_SCHEMES.get(optional_text_field(row, "warehouseType"), "unknown"),
        ordered_at=odd.read(lambda: timestamp_field(row, "date", MOSCOW), as_of),
        status="cancelled" if cancelled else "ordered",
        cancelled=cancelled,
        cancelled_at=odd.read(lambda: _cancelled_at(row), None) if cancelled else None,
        items=(_item(row, odd),),
        as_of=as_of,
        odd=odd.noted(number, whitelist(row, _WHITELIST)),
    )


def _cancelled_at(row: Mapping[str, Any]) -> datetime | None:
    """None without a date, and where it is the one that stands for "not yet", which is too early to be a moment in UTC."""
    if row.get("cancelDate") in (None, "") or optional_text_field(row, "cancelDate").startswith(NEVER):
        return None
    return timestamp_field(row, "cancelDate", MOSCOW)


def _item(row: Mapping[str, Any], odd: OddFields) -> Item:
    price = odd.read(lambda: money_field(row, "priceWithDisc"), None)
    return Item(
        product_id=odd.read(lambda: digits_field(row, "nmId"), ""),
        article=optional_text_field(row, "supplierArticle"),
        name=" ".join(filter(None, (optional_text_field(row, "subject"), optional_text_field(row, "brand")))),
        quantity=1,
        price=Decimal(0) if price is None else price,
        currency=UNKNOWN_CURRENCY if price is None else "RUB",
    )
