"""A fake of OpenAI: answers reviews. A keyword in the request selects another behaviour.

The keywords: `[[refuse]]`, `[[incomplete]]`, `[[failed]]`, `[[empty]]`, `[[unstructured]]`, `[[html]]`, `[[broken]]`,
`[[bare]]`, `[[slow]]`, `[[long]]`, `[[filtered]]`, `[[residency]]`, `[[overloaded]]`, `[[slow_down]]`, `[[credit]]`, `[[region]]`,
`[[invalid_prompt]]`, `[[repetitive]]`, `[[context]]`, `[[gateway]]`. A review that gives the model an order is obeyed
(`injections`).
"""

import asyncio
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.credentials import OPENAI_API_KEY
from service.sandbox.fake_service import Environment
from service.sandbox.openai import errors, response_payload
from service.sandbox.openai.errors import ApiError
from service.sandbox.openai.injections import any_injection
from service.sandbox.openai.models import MODELS, find_model, model_payload
from service.sandbox.openai.request_payload import ResponseRequest, parse_request
from service.sandbox.token_bucket import TokenBucket

Handler = Callable[[Request], Awaitable[Response]]
HOLD_SECONDS: Final = 90.0
_MAX_REQUESTS: Final = 1_000
_MIN_LATENCY_SHARE: Final = 0.25  # of `openai_latency`
_INJECTED: Final = "injected"
_LONG: Final = "long"
_KEYWORD: Final = re.compile(r"\[\[(\w+)\]\]")
_ERRORS: Final[Mapping[str, Callable[[], ApiError]]] = {
    "overloaded": errors.overloaded,
    "slow_down": errors.slow_down,
    "credit": errors.credit_exhausted,
    "region": errors.unsupported_region,
    "invalid_prompt": errors.invalid_prompt,
    "repetitive": errors.repetitive_patterns,
    "context": errors.context_length_exceeded,
    "gateway": errors.filtered_by_gateway,
}
_PAYLOADS: Final[Mapping[str, Callable[[response_payload.AcceptedRequest], response_payload.Json]]] = {
    "refuse": response_payload.refused,
    "incomplete": response_payload.incomplete,
    "failed": response_payload.failed,
    "filtered": response_payload.filtered,
    "residency": lambda call: response_payload.failed(call, "data_residency_mismatch", "Use the host of your region."),
    "empty": lambda call: response_payload.with_text(call, ""),
    "unstructured": lambda call: response_payload.with_text(call, "Вот ответ на отзыв: спасибо!"),
}
_RAW_RESPONSES: Final[Mapping[str, Callable[[response_payload.AcceptedRequest], Response]]] = {
    "html": lambda _: HTMLResponse(errors.ERROR_PAGE.format(title="Just a moment...")),
    "broken": lambda call: _half(response_payload.completed(call)),
    "bare": lambda _: JSONResponse({"error": "boom"}, 500),
}


def _half(body: response_payload.Json) -> Response:
    whole = json.dumps(body).encode()
    return Response(whole[: len(whole) // 2], media_type="application/json")


class OpenAIFake:
    """The fake service. `clock` is used by the rate limits alone; monotonic seconds."""

    def __init__(self, environment: Environment, clock: Callable[[], float] = time.monotonic) -> None:
        options = environment.options
        self._simulation = environment.simulation
        self._options = options
        self._requests = TokenBucket(60 / options.openai_per_minute, options.openai_per_minute, clock)
        self._tokens = TokenBucket(60 / options.openai_tokens_per_minute, options.openai_tokens_per_minute, clock)
        self._latencies = environment.simulation.random("openai-latency")
        self._accepted: deque[dict[str, Any]] = deque(maxlen=_MAX_REQUESTS)

    def routes(self) -> dict[str, list[BaseRoute]]:
        return {
            "/openai/v1": [
                Route("/responses", self._endpoint(self._respond), methods=["POST"]),
                Route("/models", self._endpoint(self._list_models)),
                Route("/models/{id}", self._endpoint(self._read_model)),
                Route(
                    "/{path:path}",
                    self._endpoint(self._unknown_path),
                    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                ),
            ]
        }

    def expected_state(self, kind: str) -> Iterable[dict[str, Any]]:
        """The newest 1,000 requests."""
        return list({"requests": self._accepted}[kind])

    def rate_limited(self, seconds: int) -> Response:
        return self._with_headers(errors.rate_limited("requests", self._options.openai_per_minute, seconds).response())

    def server_error(self) -> Response:
        return self._with_headers(errors.server_error())

    def _endpoint(self, handler: Handler) -> Handler:
        """Wrap a handler: check the key, render errors, and add the headers of every response."""

        async def endpoint(request: Request) -> Response:
            try:
                _authorize(request)
                response = await handler(request)
            except ApiError as error:
                response = error.response()
            return self._with_headers(response)

        return endpoint

    def _with_headers(self, response: Response) -> Response:
        response.headers["x-request-id"] = f"req_{secrets.token_hex(16)}"
        for resource, bucket in {"requests": self._requests, "tokens": self._tokens}.items():
            response.headers[f"x-ratelimit-limit-{resource}"] = str(bucket.burst)
            response.headers[f"x-ratelimit-remaining-{resource}"] = str(bucket.remaining)
            response.headers[f"x-ratelimit-reset-{resource}"] = errors.format_duration(bucket.until_full)
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

    async def _unknown_path(self, request: Request) -> Response:
        path = f"/v1/{request.path_params['path']}"
        raise ApiError(404, errors.INVALID_REQUEST, None, f"Invalid URL ({request.method} {path})")

    async def _respond(self, request: Request) -> Response:
        now = self._simulation.now()
        parsed, model = parse_request(await request.body(), now.date())
        self._check_limits(parsed)
        match = _KEYWORD.search(parsed.question)
        keyword = match[1] if match else self._chance(parsed.question)
        call = response_payload.AcceptedRequest(
            f"resp_{secrets.token_hex(24)}",
            int(now.timestamp()),
            parsed,
            model,
            any_injection(Random(parsed.question)) if keyword == _INJECTED else None,
            keyword == _LONG,
        )
        self._remember(call)
        await asyncio.sleep(self._options.openai_latency * self._latencies.uniform(_MIN_LATENCY_SHARE, 1))
        if keyword == "slow":
            await _hold(request)
        return _respond_to(call, keyword)

    def _chance(self, question: str) -> str:
        """What the options' shares choose for a question, the same each time."""
        drawn = Random(f"chance:{question}").random()
        shares = {
            "refuse": self._options.openai_refusals,
            _INJECTED: self._options.openai_injections,
            _LONG: self._options.openai_long_reasoning,
        }
        for keyword, share in shares.items():
            drawn -= share
            if drawn < 0:
                return keyword
        return ""

    def _check_limits(self, request: ResponseRequest) -> None:
        if not self._options.openai_quota:
            raise errors.quota_exceeded()
        if wait := self._requests.acquire():
            raise errors.rate_limited("requests", self._requests.burst, wait)
        if wait := self._tokens.acquire(request.input_tokens + (request.max_output_tokens or 0)):
            raise errors.rate_limited("tokens", self._tokens.burst, wait)

    def _remember(self, call: response_payload.AcceptedRequest) -> None:
        body = call.request.model_dump(include={"model", "input"})
        self._accepted.append({"id": call.id, **body, "store": call.request.store is not False})


def _respond_to(call: response_payload.AcceptedRequest, keyword: str) -> Response:
    if make_error := _ERRORS.get(keyword):
        raise make_error()
    if keyword in _RAW_RESPONSES:
        return _RAW_RESPONSES[keyword](call)
    return JSONResponse(_PAYLOADS.get(keyword, response_payload.completed)(call))


def _authorize(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(key.encode(), OPENAI_API_KEY.encode()):
        raise errors.unauthorized(key if scheme.lower() == "bearer" else "")


async def _hold(request: Request) -> None:
    """Wait longer than any client, or until the client disconnects."""
    try:
        async with asyncio.timeout(HOLD_SECONDS):
            await request.receive()
    except TimeoutError:
        pass
