"""The orders that are kept: written as they are read, and asked for in the words of orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from service.database.keyset import after_row
from service.database.tables import OrderRow
from service.database.upsert import Saved, digest, upsert
from service.integrations.marketplace import Item, Order

_CONTENT: Final = (
    "order_number", "scheme", "ordered_at", "status", "cancelled", "cancelled_at", "quantity", "amount", "currency",
    "items",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders; None is any. `since`: ordered then or later."""

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
        """Write what is new or later than what is kept; first in its transaction."""
        return upsert(self._session, OrderRow, [_values(order, now) for order in rows], _changes)

    def page(self, wanted: OrderFilter, *, before: int | None = None, limit: int = 50) -> Sequence[OrderRow]:
        """The newest first; `before` is the id of the last one of the page before.

        Raises:
            NoSuchRow: there is none of that id.
        """
        page = select(OrderRow).where(*wanted.conditions())
        if before is not None:
            page = page.where(after_row(self._session, OrderRow.ordered_at, OrderRow.id, before))
        page = page.order_by(OrderRow.ordered_at.desc(), OrderRow.id.desc()).limit(limit)
        return self._session.scalars(page).all()


def _values(order: Order, now: datetime) -> dict[str, Any]:
    row = {
        "marketplace": order.marketplace,
        "external_id": order.external_id,
        "order_number": order.order_number,
        "scheme": order.scheme,
        "ordered_at": order.ordered_at,
        "status": order.status,
        "cancelled": order.cancelled,
        "cancelled_at": order.cancelled_at,
        "quantity": sum(item.quantity for item in order.items),
        "amount": sum(item.quantity * item.price for item in order.items),
        "currency": order.items[0].currency if order.items else "",
        "items": [_item(item) for item in order.items],
        "as_of": order.as_of,
        "first_seen_at": now,
        "updated_at": now,
    }
    # What is added up changes with its items, and may be written with more or fewer zeros.
    return row | {"digest": digest(*(row[name] for name in _CONTENT if name != "amount"))}


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
    changed = read.digest != OrderRow.digest
    return {name: read[name] for name in (*_CONTENT, "as_of", "digest")} | {
        "updated_at": case((changed, read.updated_at), else_=OrderRow.updated_at)
    }
