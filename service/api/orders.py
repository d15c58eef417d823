"""GET /api/v1/orders: the stored orders."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.api.dependencies import RuntimeDep
from service.api.edge.admission import admission, admit_query
from service.api.schemas.order_schemas import OrderOut, OrdersOut, OrdersQuery
from service.api.schemas.pagination import NEXT_PAGE, add_next_link
from service.api.schemas.problem_schemas import INVALID, UNAVAILABLE
from service.orders.repository import OrderFilter, OrderRepository
from telemetry.database import transaction

router = APIRouter(
    prefix="/api/v1/orders", tags=["orders"], dependencies=[admission(admit_query)], responses=UNAVAILABLE
)


@router.get("", responses=NEXT_PAGE | INVALID)
def list_orders(
    request: Request, response: Response, runtime: RuntimeDep, query: Annotated[OrdersQuery, Query()]
) -> OrdersOut:
    """List the stored orders.

    Newest first, of all marketplaces or of those that the filters select.
    """
    filters = OrderFilter(**query.model_dump(exclude={"before", "limit"}))
    with transaction(runtime.engines.requests) as session:
        rows = OrderRepository(session).page(filters, before=query.before, limit=query.limit)
    add_next_link(request, response, rows, query.limit)
    return OrdersOut(orders=[OrderOut.model_validate(row) for row in rows])
