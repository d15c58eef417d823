"""The sandbox's OpenAI: answers to reviews, and, where the words of a request ask for it, everything else it can send.

The words: `[[refuse]]`, `[[incomplete]]`, `[[failed]]`, `[[empty]]`, `[[unstructured]]`, `[[html]]`, `[[broken]]`,
`[[bare]]`, `[[slow]]`, `[[overloaded]]`, `[[slow_down]]`, `[[credit]]`, `[[region]]`.
"""

import asyncio
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.credentials import OPENAI_API_KEY
from service.sandbox.fake_service import Environment
from service.sandbox.openai import errors, response_payload
from service.sandbox.openai.errors import ApiError
from service.sandbox.openai.models import MODELS, find_model, model_payload
from service.sandbox.openai.request_payload import ResponseRequest, parse_request
from service.sandbox.token_bucket import TokenBucket

Handler = Callable[[Request], Awaitable[Response]]
HOLD_SECONDS: Final = 90.0
_KEPT: Final = 1_000
_SHORTEST: Final = 0.25  # of the longest latency
_WORD: Final = re.compile(r"\[\[(\w+)\]\]")
_REFUSALS: Final[Mapping[str, Callable[[], ApiError]]] = {
    "overloaded": errors.overloaded,
    "slow_down": errors.slow_down,
    "credit": errors.credit_exhausted,
    "region": errors.unsupported_region,
}
_BODIES: Final[Mapping[str, Callable[[response_payload.AcceptedRequest], response_payload.Body]]] = {
    "refuse": response_payload.refused,
    "incomplete": response_payload.incomplete,
    "failed": response_payload.failed,
    "empty": lambda call: response_payload.with_text(call, ""),
    "unstructured": lambda call: response_payload.with_text(call, "Вот ответ на отзыв: спасибо!"),
}
_ODD: Final[Mapping[str, Callable[[response_payload.AcceptedRequest], Response]]] = {
    "html": lambda _: HTMLResponse(errors.ERROR_PAGE.format(title="Just a moment...")),
    "broken": lambda call: _half(response_payload.completed(call)),
    "bare": lambda _: JSONResponse({"error": "boom"}, 500),
}


def _half(body: response_payload.Body) -> Response:
    whole = json.dumps(body).encode()
    return Response(whole[: len(whole) // 2], media_type="application/json")


class OpenAIFake:
    """`clock` is the limits'."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        options = environment.options
        self._simulation = environment.simulation
        self._options = options
        self._requests = TokenBucket(60 / options.openai_per_minute, options.openai_per_minute, clock)
        self._tokens = TokenBucket(60 / options.openai_tokens_per_minute, options.openai_tokens_per_minute, clock)
        self._waits = environment.simulation.random("openai-latency")
        self._asked: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def routes(self) -> dict[str, list[BaseRoute]]:
        return {
            "/openai/v1": [
                Route("/responses", self._answered(self._respond), methods=["POST"]),
                Route("/models", self._answered(self._list_models)),
                Route("/models/{id}", self._answered(self._read_model)),
                Route("/{path:path}", self._answered(self._nowhere), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ]
        }

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        """What the newest 1,000 requests have said."""
        return list({"requests": self._asked}[kind])

    def rate_limited(self, seconds: int) -> Response:
        return self._marked(errors.rate_limited("requests", self._options.openai_per_minute, seconds).response())

    def server_error(self) -> Response:
        return self._marked(errors.server_error())

    def _answered(self, handler: Handler) -> Handler:
        """Only a known key gets at a handler, and every answer has its headers."""

        async def endpoint(request: Request) -> Response:
            try:
                _authorize(request)
                response = await handler(request)
            except ApiError as refused:
                response = refused.response()
            return self._marked(response)

        return endpoint

    def _marked(self, response: Response) -> Response:
        response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
        for of, bucket in {"requests": self._requests, "tokens": self._tokens}.items():
            response.headers[f"x-ratelimit-limit-{of}"] = str(bucket.burst)
            response.headers[f"x-ratelimit-remaining-{of}"] = str(bucket.remaining)
            response.headers[f"x-ratelimit-reset-{of}"] = errors.duration(bucket.until_full)
        return response

    async def _list_models(self, _request: Request) -> Response:
        today = self._simulation.now().date()
        return JSONResponse(
            {"object": "list", "data": [model_payload(name) for name in MODELS if find_model(name, today)]}
        )

    async def _read_model(self, request: Request) -> Response:
        name: str = request.path_params["id"]
        if find_model(name, self._simulation.now().date()) is None:
            raise errors.model_not_found(name)
        return JSONResponse(model_payload(name))

    async def _nowhere(self, request: Request) -> Response:
        path = f"/v1/{request.path_params['path']}"
        raise ApiError(404, errors.INVALID, None, f"Invalid URL ({request.method} {path})")

    async def _respond(self, request: Request) -> Response:
        now = self._simulation.now()
        ask, model = parse_request(await request.body(), now.date())
        self._admit(ask)
        call = response_payload.AcceptedRequest(f"resp_{secrets.token_hex(24)}", int(now.timestamp()), ask, model)
        self._remember(call)
        await asyncio.sleep(self._options.openai_latency * self._waits.uniform(_SHORTEST, 1))
        found = _WORD.search(ask.question)
        word = found[1] if found else ""
        if word == "slow":
            await _hold(request)
        return _behaved(call, word)

    def _admit(self, ask: ResponseRequest) -> None:
        if not self._options.openai_quota:
            raise errors.quota_exceeded()
        if wait := self._requests.acquire():
            raise errors.rate_limited("requests", self._requests.burst, wait)
        if wait := self._tokens.acquire(ask.tokens + (ask.max_output_tokens or 0)):
            raise errors.rate_limited("tokens", self._tokens.burst, wait)

    def _remember(self, call: response_payload.AcceptedRequest) -> None:
        said = call.ask.model_dump(include={"model", "input"})
        self._asked.append({"id": call.id, **said, "store": call.ask.store is not False})


def _behaved(call: response_payload.AcceptedRequest, word: str) -> Response:
    if refuse := _REFUSALS.get(word):
        raise refuse()
    if word in _ODD:
        return _ODD[word](call)
    return JSONResponse(_BODIES.get(word, response_payload.completed)(call))


def _authorize(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(key.encode(), OPENAI_API_KEY.encode()):
        raise errors.unauthorized(key if scheme.lower() == "bearer" else "")


async def _hold(request: Request) -> None:
    """As long as no client waits, or until it has gone."""
    try:
        async with asyncio.timeout(HOLD_SECONDS):
            await request.receive()
    except TimeoutError:
        pass
