"""A fake of Wildberries: the APIs of reviews and of statistics, each on a host of its own."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from service.sandbox.fake_service import Environment
from service.sandbox.wildberries.errors import LimitState, WildberriesErrors
from service.sandbox.wildberries.gateway import Gateway, Host, Limit
from service.sandbox.wildberries.order_routes import StatisticsApi
from service.sandbox.wildberries.review_routes import FeedbacksApi

FEEDBACKS: Final = "/wb-feedbacks"
STATISTICS: Final = "/wb-statistics"
_HOSTS: Final = {
    FEEDBACKS: Host("s2s-api-auth-feedbacks", category=7, limit=Limit(0.333, 6), base=Limit(720, 1)),
    STATISTICS: Host("s2s-api-auth-stat", category=5, limit=Limit(60, 10), base=Limit(10_800, 1)),
}


class WildberriesFake:
    """The fake service. `clock` is used by the rate limits alone; monotonic seconds."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        self._errors = WildberriesErrors(environment.simulation)
        self._feedbacks = FeedbacksApi(environment, self._errors)
        self._statistics = StatisticsApi(environment)
        self._gateways = {prefix: Gateway(host, environment, self._errors, clock) for prefix, host in _HOSTS.items()}

    def routes(self) -> dict[str, list[BaseRoute]]:
        methods = {FEEDBACKS: self._feedbacks.methods(), STATISTICS: self._statistics.methods()}
        return {prefix: gateway.routes(methods[prefix]) for prefix, gateway in self._gateways.items()}

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        return {"reviews": self._feedbacks.expected_state, "orders": self._statistics.expected_state}[kind]()

    def rate_limited(self, seconds: int) -> Response:
        return self._errors.rate_limited(LimitState(seconds, seconds, limit=1), _HOSTS[FEEDBACKS].origin)

    def server_error(self) -> Response:
        return self._errors.bad_gateway()
