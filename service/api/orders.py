"""GET /api/v1/orders: the stored orders."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.admission import admission, admit_query
from service.api.dependencies import RuntimeDep
from service.api.pagination import PageQuery, Rfc3339, add_next_link
from service.api.problems import PROBLEM_RESPONSE
from service.orders.repository import OrderFilter, OrderRepository
from telemetry.database import transaction

router = APIRouter(
    prefix="/api/v1/orders", tags=["orders"], dependencies=[admission(admit_query)], responses={503: PROBLEM_RESPONSE}
)


class OrdersQuery(PageQuery):
    """Which orders. A filter that is there and empty filters nothing."""

    marketplace: Literal["wb", "ozon"] | None = None
    scheme: Literal["fbo", "fbs", "unknown"] | None = None
    cancelled: bool | None = None
    since: Rfc3339 | None = Field(None, description="ordered then or later, such as 2025-10-02T12:00:00Z")


class ItemOut(BaseModel):
    product_id: str
    article: str
    name: str
    quantity: int
    price: Decimal
    currency: str


class OrderOut(BaseModel):
    """An order of Wildberries, or a posting of Ozon. `amounts` is what the items cost together, by currency; `amount` is
    the one in `currency`. A price that is not known is 0 and has no currency.

    A posting that Ozon split (`cancelled_from_split_pending`) is `cancelled` and has no items: they are in the postings that
    it was split into, so that no sum counts them twice.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    marketplace: str
    external_id: str
    order_number: str
    scheme: str
    ordered_at: datetime
    status: str
    substatus: str | None
    cancelled: bool
    cancelled_at: datetime | None
    quantity: int
    amount: Decimal
    currency: str
    amounts: dict[str, Decimal]
    items: list[ItemOut]
    updated_at: datetime


class OrdersOut(BaseModel):
    orders: list[OrderOut]


@router.get("", responses={422: PROBLEM_RESPONSE})
def list_orders(
    request: Request, response: Response, runtime: RuntimeDep, query: Annotated[OrdersQuery, Query()]
) -> OrdersOut:
    """Orders, the newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    filters = OrderFilter(**query.model_dump(exclude={"before", "limit"}))
    with transaction(runtime.engines.requests) as session:
        rows = OrderRepository(session).page(filters, before=query.before, limit=query.limit)
    add_next_link(request, response, rows, query.limit)
    return OrdersOut(orders=[OrderOut.model_validate(row) for row in rows])
