"""Wildberries' statistics API: the report of orders, by last change or by the day of the order."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from service.sandbox.fake_service import Environment
from service.sandbox.wildberries.gateway import MOSCOW, Endpoint
from service.sandbox.wildberries.order_model import Change, OrderIndex
from service.sandbox.wildberries.order_payload import moscow_time, order_payload

_TIME: Final = r"T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?"
_TIMESTAMP: Final = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}({_TIME})?", re.ASCII)
_CHUNK_ROWS: Final = 500
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class StatisticsApi:
    """The methods of the API."""

    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        self._options = environment.options
        self._orders = OrderIndex(environment)

    def methods(self) -> list[tuple[str, str, Endpoint]]:
        return [("GET", "/api/v1/supplier/orders", self._list)]

    def expected_state(self) -> Iterator[dict[str, Any]]:
        for change in self._orders.changed_since(0):
            order = self._orders.order(change.number)
            yield {
                "srid": order.srid,
                "lastChangeDate": moscow_time(change.changed_at),
                "isCancel": order.cancelled_at <= change.changed_at,
            }

    async def _list(self, request: Request) -> Response:
        """Other parameters than `dateFrom` and `flag` are ignored."""
        flag = request.query_params.get("flag", "0")
        date_from = request.query_params.get("dateFrom")
        if date_from is None:
            return JSONResponse({"errors": ["dateFrom: field required"]}, 400)
        since = _parse_timestamp(date_from)
        if since is None:
            return JSONResponse({"errors": "dateFrom: Value not validated"}, 400)
        if flag not in ("0", "1"):
            return JSONResponse({"errors": ["flag: Value not validated"]}, 400)
        if flag == "1":
            changes = list(self._orders.made_on(since.date()))
        else:
            changes = list(islice(self._orders.changed_since(since.timestamp()), self._options.wb_orders_page))
        return StreamingResponse(self._body(changes), media_type="application/json")

    def _body(self, changes: list[Change]) -> Iterator[str]:
        """A JSON array, generated in a thread while it is sent: a full page is about 50 MB."""
        yield "["
        for start in range(0, len(changes), _CHUNK_ROWS):
            rows = [self._row(change) for change in changes[start : start + _CHUNK_ROWS]]
            yield ("," if start else "") + _ENCODER.encode(rows)[1:-1]
        yield "]"

    def _row(self, change: Change) -> dict[str, Any]:
        random = self._simulation.random("wb-order-row", change.number)
        return order_payload(random, self._orders.order(change.number), change)


def _parse_timestamp(text: str) -> datetime | None:
    """A date or a timestamp as Moscow time, which is also assumed without an offset; None if it is invalid."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        timestamp = datetime.fromisoformat(text)
        return timestamp.astimezone(MOSCOW) if timestamp.tzinfo else timestamp.replace(tzinfo=MOSCOW)
    except (ValueError, OverflowError):
        return None
