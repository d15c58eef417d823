"""A fake of Ozon's Seller API: checks the keys and the rate limit, and calls the method of the path."""

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
from service.sandbox.ozon.method import Body, Method, parse_body, rfc3339
from service.sandbox.ozon.posting_routes import PostingMethods
from service.sandbox.ozon.products import product_methods
from service.sandbox.ozon.review_routes import ReviewMethods
from service.sandbox.ozon.review_store import ReviewStore

_HTTP_METHODS: Final = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")


class OzonFake:
    """The fake service. `clock` is used by the rate limit alone; monotonic seconds."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        self._simulation = environment.simulation
        self._options = environment.options
        self._limit = ClientLimit(environment.options.ozon_per_second, clock)
        self._reviews = ReviewStore(environment)
        self._postings = PostingMethods(environment)
        self._server_errors = cycle((errors.bad_gateway, errors.internal_error))
        self._methods = {
            "/v1/roles": Method(Body, self._roles),
            "/v1/seller/info": Method(Body, self._seller),
            **ReviewMethods(self._reviews).methods(),
            **self._postings.methods(),
            **product_methods(),
        }

    def routes(self) -> dict[str, list[BaseRoute]]:
        return {"/ozon": [Route("/{path:path}", self._serve, methods=_HTTP_METHODS)]}

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        return {"reviews": self._expected_reviews, "orders": self._postings.expected_state}[kind]()

    def rate_limited(self, seconds: int) -> Response:
        return errors.rate_limited(self._options.ozon_per_second, seconds)

    def server_error(self) -> Response:
        """Alternately an error of the proxy and of Ozon itself."""
        return next(self._server_errors)()

    async def _serve(self, request: Request) -> Response:
        method = self._methods.get(f"/{request.path_params['path']}") if request.method == "POST" else None
        if method is None:
            return errors.page_not_found()
        try:
            _authenticate(request.headers)
            if refusal := self._limit.check():
                return refusal
            return JSONResponse(self._respond(method, await request.body()), headers=self._limit.headers)
        except ApiError as error:
            return error.response(self._limit.headers)

    def _respond(self, method: Method, raw: bytes) -> dict[str, Any]:
        """The body is validated before the subscription is checked."""
        body = parse_body(method.body, raw)
        if method.needs_subscription and not self._options.ozon_subscription:
            raise errors.no_subscription()
        return method.handler(body)

    def _expected_reviews(self) -> Iterable[dict[str, Any]]:
        for state in self._reviews.states():
            yield {"id": state.review.id, "rating": state.review.rating, "status": state.status}

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
    ApiError: a header is missing or wrong.
    """
    credentials = headers.get("client-id", ""), headers.get("api-key", "")
    if not all(credentials):
        raise errors.no_credentials()
    if credentials != (OZON_CLIENT_ID, OZON_API_KEY):
        raise errors.bad_key()
