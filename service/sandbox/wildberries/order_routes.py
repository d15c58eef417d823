"""The statistics API of Wildberries: the report of orders, by when they changed or by the day on which they were made."""

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
from service.sandbox.wildberries.order_model import Change, Orders
from service.sandbox.wildberries.order_payload import moscow, row

_TIME: Final = r"T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?"
_MOMENT: Final = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}({_TIME})?", re.ASCII)
_CHUNK: Final = 500  # rows
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Statistics:
    def __init__(self, environment: Environment) -> None:
        self._simulation = environment.simulation
        self._options = environment.options
        self._orders = Orders(environment)

    def methods(self) -> list[tuple[str, str, Endpoint]]:
        return [("GET", "/api/v1/supplier/orders", self._list)]

    def expected_state(self) -> Iterator[dict[str, Any]]:
        for change in self._orders.changed_since(0):
            order = self._orders.order(change.number)
            yield {
                "srid": order.srid,
                "lastChangeDate": moscow(change.at),
                "isCancel": order.cancelled_at <= change.at,
            }

    async def _list(self, request: Request) -> Response:
        """Nothing but `dateFrom` and `flag` is looked at."""
        flag = request.query_params.get("flag", "0")
        given = request.query_params.get("dateFrom")
        if given is None:
            return JSONResponse({"errors": ["dateFrom: field required"]}, 400)
        since = _moment(given)
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
        """A bare array. Made as it is sent, in a thread: a full page is some 50 MB."""
        yield "["
        for start in range(0, len(changes), _CHUNK):
            rows = [self._row(change) for change in changes[start : start + _CHUNK]]
            yield ("," if start else "") + _JSON.encode(rows)[1:-1]
        yield "]"

    def _row(self, change: Change) -> dict[str, Any]:
        random = self._simulation.random("wb-order-row", change.number)
        return row(random, self._orders.order(change.number), change)


def _moment(text: str) -> datetime | None:
    """A day or a moment; without an offset, of Moscow's clocks. In Moscow's time, too: a day is a day there."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(MOSCOW) if moment.tzinfo else moment.replace(tzinfo=MOSCOW)
    except (ValueError, OverflowError):
        return None
