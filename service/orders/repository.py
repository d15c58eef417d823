"""Repository of orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from service.database.keyset import after_row
from service.database.tables import OrderRow
from service.database.upsert import Saved, digest, kept_if_unknown, upsert
from service.integrations.marketplace import SPLIT_STATUS, UNKNOWN_CURRENCY, Item, Order

_CONTENTS: Final = ("quantity", "amount", "currency", "items")
_CONTENT: Final = (
    "order_number", "scheme", "ordered_at", "status", "cancelled", "cancelled_at", *_CONTENTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Selects orders. None selects all; `since` selects those ordered then or later."""

    marketplace: str | None = None
    scheme: str | None = None
    cancelled: bool | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        equal = {
            OrderRow.marketplace: self.marketplace,
            OrderRow.scheme: self.scheme,
            OrderRow.cancelled: self.cancelled,
        }
        conditions = [column == value for column, value in equal.items() if value is not None]
        return conditions if self.since is None else [*conditions, OrderRow.ordered_at >= self.since]


class OrderRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, rows: Sequence[Order], now: datetime) -> Saved:
        """Insert or update orders. A stored row that was read later than the given one stays as it is.

        Must be the first statement of its transaction.
        """
        return upsert(self._session, OrderRow, [_values(order, now) for order in rows], _changes)

    def page(self, filters: OrderFilter, *, before: int | None = None, limit: int = 50) -> Sequence[OrderRow]:
        """One page of orders, newest first.

        Args:
            filters: selects the orders.
            before: the id of the last row of the previous page.
            limit: rows of the page.

        Raises:
            UnknownCursor: no row has the id `before`.
        """
        page = select(OrderRow).where(*filters.conditions())
        if before is not None:
            page = page.where(after_row(self._session, OrderRow.ordered_at, OrderRow.id, before))
        page = page.order_by(OrderRow.ordered_at.desc(), OrderRow.id.desc()).limit(limit)
        return self._session.scalars(page).all()


def _values(order: Order, now: datetime) -> dict[str, Any]:
    """The row of an order. Its amount is that of the first currency: amounts of different ones are never added."""
    currency = next((item.currency for item in order.items if item.currency), UNKNOWN_CURRENCY)
    row: dict[str, Any] = {
        "marketplace": order.marketplace,
        "external_id": order.external_id,
        "order_number": order.order_number,
        "scheme": order.scheme,
        "ordered_at": order.ordered_at,
        "status": order.status,
        "substatus": order.substatus,
        "cancelled": order.cancelled,
        "cancelled_at": order.cancelled_at,
        "quantity": sum(item.quantity for item in order.items),
        "amount": sum(item.quantity * item.price for item in order.items if item.currency == currency),
        "currency": currency,
        "items": [_item(item) for item in order.items],
        "as_of": order.as_of,
        "first_seen_at": now,
        "updated_at": now,
    }
    # Without the amount: it follows from the items, and its number of decimal places may vary.
    content = [row[name] for name in _CONTENT if name != "amount"]
    digested = digest(*content, *filter(None, [order.substatus]))
    return row | {"digest": digested, "ordered_at": order.ordered_at or now}


def _item(item: Item) -> dict[str, Any]:
    return {
        "product_id": item.product_id,
        "article": item.article,
        "name": item.name,
        "quantity": item.quantity,
        "price": f"{item.price:.2f}",
        "currency": item.currency,
    }


def _changes(read: Any) -> Mapping[str, Any]:
    """What was known of the items stays, if no price of them can be read any more. A posting that was split has none."""
    changed = read.digest != OrderRow.digest
    unread = and_(read.currency == UNKNOWN_CURRENCY, func.lower(read.status) != SPLIT_STATUS)
    known = and_(unread, OrderRow.currency != UNKNOWN_CURRENCY)
    kept = {name: case((known, getattr(OrderRow, name)), else_=read[name]) for name in _CONTENTS}
    return (
        {name: read[name] for name in (*_CONTENT, "substatus", "as_of", "digest")}
        | kept
        | {"ordered_at": kept_if_unknown(read, OrderRow.ordered_at)}
        | {"updated_at": case((changed, read.updated_at), else_=OrderRow.updated_at)}
    )
