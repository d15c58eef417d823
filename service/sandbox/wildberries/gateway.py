"""Wildberries' gateway: a call reaches a method with a token for its host, and below the limit of the token's kind."""

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
from service.sandbox.wildberries.errors import Errors, Wait
from service.sandbox.wildberries.tokens import Token, TokenRefused

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
    """Attributes:
    category: the bit of a token's scopes that opens it.
    base: the limit of a Base token; every other kind has `limit`.
    """

    origin: str
    category: int
    limit: Limit
    base: Limit


_PING: Final = Limit(10, 3)


class Gateway:
    """One host: all its methods share one bucket for each kind of token, and its ping has one for itself."""

    def __init__(
        self, host: Host, environment: Environment, errors: Errors, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._environment = environment
        self._errors = errors
        self._clock = clock
        self._ping_bucket = TokenBucket(_PING.interval, _PING.burst, clock)
        self._buckets: dict[int, TokenBucket] = {}

    def routes(self, methods: Sequence[tuple[str, str, Endpoint]]) -> list[BaseRoute]:
        """The host's methods, each as (HTTP method, path, endpoint), its ping, and the answer to everything else."""
        return [
            Route("/ping", self._guarded(self._ping, self._bucket_of_ping)),
            *(
                Route(path, self._guarded(endpoint, self._bucket_of), methods=[method])
                for method, path, endpoint in methods
            ),
            Route("/{path:path}", self._unknown, methods=_METHODS),
        ]

    def _guarded(self, endpoint: Endpoint, bucket_of: Callable[[Token], TokenBucket]) -> Endpoint:
        async def guarded(request: Request) -> Response:
            try:
                token = Token.read(request.headers.get("authorization"))
                token.check(self._host.category, self._environment.simulation.now())
            except TokenRefused as refused:
                return self._errors.unauthorized(str(refused), self._host.origin)
            if not self._environment.options.wb_limits:
                return await endpoint(request)
            return await self._limited(bucket_of(token), endpoint, request)

        return guarded

    async def _limited(self, bucket: TokenBucket, endpoint: Endpoint, request: Request) -> Response:
        if wait := bucket.acquire():
            return self._errors.rate_limited(Wait(wait, bucket.until_full, bucket.burst), self._host.origin)
        response = await endpoint(request)
        response.headers["X-Ratelimit-Remaining"] = str(bucket.remaining)
        return response

    def _bucket_of(self, token: Token) -> TokenBucket:
        limit = self._host.base if token.kind == BASE else self._host.limit
        return self._buckets.setdefault(token.kind, TokenBucket(limit.interval, limit.burst, self._clock))

    def _bucket_of_ping(self, _token: Token) -> TokenBucket:
        return self._ping_bucket

    async def _ping(self, _request: Request) -> Response:
        now = self._environment.simulation.now().astimezone(MOSCOW)
        return JSONResponse({"TS": now.isoformat(timespec="seconds"), "Status": "OK"})

    async def _unknown(self, _request: Request) -> Response:
        return self._errors.path_not_found()
