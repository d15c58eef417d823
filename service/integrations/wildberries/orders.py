"""Orders of Wildberries: read on by the date of their last change, whose boundary is inclusive."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.http.client import ApiCall, ApiClient, ApiResponse
from service.integrations.http.errors import EndlessPages
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.marketplace import InvalidPayload, Item, Order, Page, Position
from service.integrations.wildberries.fields import (
    UnreadableField,
    flag_of,
    identity_of,
    moment_of,
    money_of,
    number_text,
    object_of,
    only,
    optional_text,
    text_of,
)
from service.integrations.wildberries.moscow_time import MOSCOW, NEVER, moscow_text

KEPT_FOR: Final = timedelta(days=90)
_DOWNLOAD: Final = 300.0  # a full answer is about 50 MB
_BOUNDARY: Final = 500
_CUT_AT_LEAST: Final = 1000  # rows; a page is cut at 80,000 or so
_AHEAD: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_SCHEMES: Final[Mapping[str, str]] = {"Склад WB": "fbo", "Склад продавца": "fbs"}
_KEPT: Final = frozenset(
    {
        "srid", "date", "lastChangeDate", "isCancel", "cancelDate", "nmId", "supplierArticle", "warehouseType", "subject",
        "priceWithDisc", "totalPrice", "finishedPrice", "gNumber",
    }
)  # fmt: skip


class WildberriesOrders:
    """All orders since the last change that was seen (`Source[Order]`).

    `dateFrom` is the last change of the page before, so its rows come again; the end is a page on which nothing is new.
    When that page is long and all of one moment, it may have been cut: then what comes a second later says whether it was.
    """

    name = "wb.orders"

    def __init__(self, client: ApiClient, limit: RateLimit, now: Callable[[], datetime]) -> None:
        self._client = client
        self._limit = limit
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Order]]:
        reading: _Reading | None = self._begin(position)
        while reading is not None:
            page: Page[Order] = Page((), position)
            page.rows = reading.rows(self._ask(reading.since).rows(), page, self._now() + _AHEAD)
            yield page
            position = page.position
            reading = reading.next()

    def _begin(self, position: Position) -> "_Reading":
        if "since" not in position:
            return _Reading((self._now() - KEPT_FOR).replace(microsecond=0))
        return _Reading(moment_of(position, "since", MOSCOW), frozenset(position.get("boundary", ())))

    def _ask(self, since: datetime) -> ApiResponse:
        parameters = {"dateFrom": moscow_text(since), "flag": 0}
        return self._client.call(ApiCall("GET", "/api/v1/supplier/orders", self._limit, parameters, deadline=_DOWNLOAD))


class _Reading:
    """One page: which of its rows are new, and where the next one begins. `known` are the orders of the moment `since`.

    `doubted`: the page before may have been cut, and this one is what comes a second later.
    """

    def __init__(self, since: datetime, known: frozenset[str] = frozenset(), *, doubted: bool = False) -> None:
        self.since = since
        self._known = known
        self._doubted = doubted
        self._latest = since
        self._boundary = set(known)
        self._count = 0
        self._new = 0

    def rows(self, payloads: Iterable[Any], page: Page[Order], until: datetime) -> Iterator[Order | InvalidPayload]:
        """An order that says that it was changed after `until` is given, but not gone on from: none would follow."""
        for payload in payloads:
            order = order_of(payload)
            if isinstance(order, Order) and order.as_of <= until:
                self._see(order)
            yield order
        if self._count:
            boundary = sorted(self._boundary) if len(self._boundary) <= _BOUNDARY else []
            page.position = {"since": moscow_text(self._latest), "boundary": boundary}

    def _see(self, order: Order) -> None:
        """Of the second of `since`, earlier fractions may come again: it is not said that they count."""
        if order.as_of < self.since.replace(microsecond=0):
            raise EndlessPages(
                "wb gives orders from before the date that it was asked for, so there is no end of them."
            )
        self._count += 1
        if order.as_of > self._latest:
            self._latest, self._boundary = order.as_of, set()
        if order.as_of > self.since or (order.as_of == self.since and order.external_id not in self._known):
            self._new += 1
        if order.as_of == self._latest:
            self._boundary.add(order.external_id)

    def next(self) -> "_Reading | None":
        """The reading of the next page, or None when there is none.

        Raises:
            EndlessPages: the page before was cut within a moment, and what is left of that is out of reach.
        """
        if self._doubted and self._count:
            raise EndlessPages("wb has more orders of one moment than it lets anybody read.")
        if self._new:
            return _Reading(self._latest, frozenset(self._boundary))
        if self._count >= _CUT_AT_LEAST:
            return _Reading(self.since + _SECOND, doubted=True)
        return None


def order_of(payload: object) -> Order | InvalidPayload:
    """One order of one piece. A newer version of it has a later `lastChangeDate`."""
    try:
        return _order(object_of(payload))
    except UnreadableField as error:
        return InvalidPayload(external_id=identity_of(payload, "srid"), reason=str(error), payload=only(payload, _KEPT))


def _order(row: Mapping[str, Any]) -> Order:
    cancelled = flag_of(row, "isCancel")
    return Order(
        marketplace="wb",
        external_id=text_of(row, "srid", 100),
        order_number=optional_text(row, "gNumber")[:100],
        scheme=_SCHEMES.get(optional_text(row, "warehouseType"), "unknown"),
        ordered_at=moment_of(row, "date", MOSCOW),
        status="cancelled" if cancelled else "ordered",
        cancelled=cancelled,
        cancelled_at=_cancelled_at(row) if cancelled else None,
        items=(_item(row),),
        as_of=moment_of(row, "lastChangeDate", MOSCOW),
    )


def _cancelled_at(row: Mapping[str, Any]) -> datetime | None:
    """None where the date is still the one that stands for "not yet", which is too early to be a moment in UTC."""
    return None if optional_text(row, "cancelDate").startswith(NEVER) else moment_of(row, "cancelDate", MOSCOW)


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        product_id=number_text(row, "nmId"),
        article=optional_text(row, "supplierArticle"),
        name=" ".join(filter(None, (optional_text(row, "subject"), optional_text(row, "brand")))),
        quantity=1,
        price=money_of(row, "priceWithDisc"),
        currency="RUB",
    )
