"""Wildberries' gateway: checks the token of a call, and limits the rate of calls for each kind of token."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.credentials import BASE
from service.sandbox.fake_service import Environment
from service.sandbox.token_bucket import TokenBucket
from service.sandbox.wildberries.errors import LimitState, WildberriesErrors
from service.sandbox.wildberries.tokens import InvalidToken, Token

MOSCOW: Final = timezone(timedelta(hours=3))
Endpoint = Callable[[Request], Awaitable[Response]]
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Limit:
    """`burst` calls at once, one more each `interval` seconds."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class Host:
    """A host of Wildberries' API.

    Attributes:
        category: the bit of a token's scopes that allows calls to it.
        limit: the limit of a token, except a Base token without its client secret.
        base: the limit of a Base token without it.
    """

    origin: str
    category: int
    limit: Limit
    base: Limit


_WITHOUT_IT: Final = "base token without secret is not allowed for this path"
_PING_LIMIT: Final = Limit(10, 3)


class Gateway:
    """The gateway of one host. Its methods share one bucket for each kind of token; its ping has its own bucket."""

    def __init__(
        self,
        host: Host,
        environment: Environment,
        errors: WildberriesErrors,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._environment = environment
        self._errors = errors
        self._clock = clock
        self._ping_bucket = TokenBucket(_PING_LIMIT.interval, _PING_LIMIT.burst, clock)
        self._buckets: dict[tuple[int, bool], TokenBucket] = {}

    def routes(self, methods: Sequence[tuple[str, str, Endpoint]]) -> list[BaseRoute]:
        """Routes for the given methods (HTTP method, path, endpoint), for the ping, and for unknown paths."""
        return [
            Route("/ping", self._guarded(self._ping, self._bucket_for_ping)),
            *(
                Route(path, self._guarded(endpoint, self._bucket_for), methods=[method])
                for method, path, endpoint in methods
            ),
            Route("/{path:path}", self._unknown, methods=_METHODS),
        ]

    def _guarded(self, endpoint: Endpoint, get_bucket: Callable[[Token], TokenBucket]) -> Endpoint:
        async def guarded(request: Request) -> Response:
            try:
                token = Token.parse(request.headers.get("authorization"), request.headers.get("x-client-secret"))
                token.check(self._host.category, self._environment.simulation.now())
            except InvalidToken as error:
                return self._errors.unauthorized(str(error), self._host.origin)
            if self._environment.options.wb_base_secret and _lacks_secret(token):
                return self._errors.forbidden(_WITHOUT_IT, self._host.origin)
            if not self._environment.options.wb_limits:
                return await endpoint(request)
            return await self._limited(get_bucket(token), endpoint, request)

        return guarded

    async def _limited(self, bucket: TokenBucket, endpoint: Endpoint, request: Request) -> Response:
        if wait := bucket.acquire():
            return self._errors.rate_limited(LimitState(wait, bucket.until_full, bucket.burst), self._host.origin)
        response = await endpoint(request)
        response.headers["X-Ratelimit-Remaining"] = str(bucket.remaining)
        return response

    def _bucket_for(self, token: Token) -> TokenBucket:
        limit = self._host.base if _lacks_secret(token) else self._host.limit
        kind = token.kind, token.has_secret
        return self._buckets.setdefault(kind, TokenBucket(limit.interval, limit.burst, self._clock))

    def _bucket_for_ping(self, _token: Token) -> TokenBucket:
        return self._ping_bucket

    async def _ping(self, _request: Request) -> Response:
        now = self._environment.simulation.now().astimezone(MOSCOW)
        return JSONResponse({"TS": now.isoformat(timespec="seconds"), "Status": "OK"})

    async def _unknown(self, _request: Request) -> Response:
        return self._errors.path_not_found()


def _lacks_secret(token: Token) -> bool:
    return token.kind == BASE and not token.has_secret
