"""GET /api/v1/orders."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.dependencies import DeskDep
from service.api.order_schemas import OrderOut, OrdersOut, OrdersQuery
from service.api.pagination import link_next
from service.api.problems import PROBLEM
from service.orders.repository import OrderRepository, Wanted
from telemetry.database import transaction

router = APIRouter(prefix="/api/v1/orders", tags=["orders"])


@router.get("", responses={422: PROBLEM})
def list_orders(
    request: Request, response: Response, desk: DeskDep, query: Annotated[OrdersQuery, Query()]
) -> OrdersOut:
    """Orders, the newest first. The next page is behind the header `Link: …; rel="next"`, or `before=` the last id."""
    wanted = Wanted(**query.model_dump(exclude={"before", "limit"}))
    with transaction(desk.engine) as session:
        rows = OrderRepository(session).page(wanted, before=query.before, limit=query.limit)
    link_next(request, response, rows, query.limit)
    return OrdersOut(orders=[OrderOut.model_validate(row) for row in rows])
