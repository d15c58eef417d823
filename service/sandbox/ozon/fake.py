"""Ozon's Seller API: the door with its keys and its limit, and behind it the methods by path."""

# ruff: noqa: RUF001  # Russian words of one letter look like Latin ones

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import cycle
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.credentials import OZON_API_KEY, OZON_CLIENT_ID
from service.sandbox.fake_service import Environment
from service.sandbox.ozon import errors
from service.sandbox.ozon.errors import ApiError
from service.sandbox.ozon.limits import ClientLimit
from service.sandbox.ozon.method import Body, Method, parse, rfc3339
from service.sandbox.ozon.posting_routes import Postings
from service.sandbox.ozon.products import product_methods
from service.sandbox.ozon.review_routes import ReviewMethods
from service.sandbox.ozon.review_store import Reviews

_VERBS: Final = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")


class OzonFake:
    """`clock` is the limit's: monotonic seconds."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        self._simulation = environment.simulation
        self._options = environment.options
        self._limit = ClientLimit(environment.options.ozon_per_second, clock)
        self._reviews = Reviews(environment)
        self._postings = Postings(environment)
        self._broken = cycle((errors.bad_gateway, errors.internal_error))
        self._methods = {
            "/v1/roles": Method(Body, self._roles),
            "/v1/seller/info": Method(Body, self._seller),
            **ReviewMethods(self._reviews).table(),
            **self._postings.table(),
            **product_methods(),
        }

    def routes(self) -> dict[str, list[BaseRoute]]:
        return {"/ozon": [Route("/{path:path}", self._serve, methods=_VERBS)]}

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        return {"reviews": self._true_reviews, "orders": self._postings.expected_state}[kind]()

    def rate_limited(self, seconds: int) -> Response:
        return errors.rate_limited(self._options.ozon_per_second, seconds)

    def server_error(self) -> Response:
        """In turn: what stands in front of Ozon fails, and Ozon does."""
        return next(self._broken)()

    async def _serve(self, request: Request) -> Response:
        method = self._methods.get(f"/{request.path_params['path']}") if request.method == "POST" else None
        if method is None:
            return errors.page_not_found()
        try:
            _authenticate(request.headers)
            if refusal := self._limit.refusal():
                return refusal
            return JSONResponse(self._answer(method, await request.body()), headers=self._limit.headers)
        except ApiError as refused:
            return refused.response(self._limit.headers)

    def _answer(self, method: Method, raw: bytes) -> dict[str, Any]:
        """A body that is wrong is refused before a seller who has not paid is."""
        body = parse(method.body, raw)
        if method.needs_subscription and not self._options.ozon_subscription:
            raise errors.no_subscription()
        return method.answer(body)

    def _true_reviews(self) -> Iterable[dict[str, Any]]:
        for now in self._reviews.every():
            yield {"id": now.review.id, "rating": now.review.rating, "status": now.status}

    def _roles(self, _body: Body) -> dict[str, Any]:
        expires = self._simulation.now() + timedelta(days=self._options.ozon_key_days)
        reviews = [path for path, method in self._methods.items() if method.needs_subscription]
        others = [path for path in self._methods if path not in reviews]
        return {
            "roles": [{"name": "Review", "methods": reviews}, {"name": "Posting read only", "methods": others}],
            "expires_at": rfc3339(expires, "microseconds"),
        }

    def _seller(self, _body: Body) -> dict[str, Any]:
        paid = self._options.ozon_subscription
        return {
            "company": {
                "name": "Домашний уют (песочница)",
                "legal_name": "ООО «Песочница и Ко»",
                "inn": "0000000000",
                "ogrn": "0000000000000",
                "ownership_form": "ООО",
                "country": "RU",
                "currency": "RUB",
                "tax_system": "USN",
            },
            "ratings": [],
            "subscription": {"is_premium": paid, "type": "PREMIUM_PRO" if paid else "UNSPECIFIED"},
        }


def _authenticate(headers: Headers) -> None:
    """Raises:
    ApiError: a header is missing, or the two don't belong together.
    """
    given = headers.get("client-id", ""), headers.get("api-key", "")
    if not all(given):
        raise errors.no_credentials()
    if given != (OZON_CLIENT_ID, OZON_API_KEY):
        raise errors.bad_key()
