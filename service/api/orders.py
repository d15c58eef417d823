"""GET /api/v1/orders: the stored orders."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.dependencies import RuntimeDep
from service.api.order_schemas import OrderOut, OrdersOut, OrdersQuery
from service.api.pagination import add_next_link
from service.api.problems import PROBLEM_RESPONSE
from service.orders.repository import OrderFilter, OrderRepository
from telemetry.database import transaction

router = APIRouter(prefix="/api/v1/orders", tags=["orders"])


@router.get("", responses={422: PROBLEM_RESPONSE})
def list_orders(
    request: Request, response: Response, runtime: RuntimeDep, query: Annotated[OrdersQuery, Query()]
) -> OrdersOut:
    """Orders, the newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    filters = OrderFilter(**query.model_dump(exclude={"before", "limit"}))
    with transaction(runtime.engine) as session:
        rows = OrderRepository(session).page(filters, before=query.before, limit=query.limit)
    add_next_link(request, response, rows, query.limit)
    return OrdersOut(orders=[OrderOut.model_validate(row) for row in rows])
