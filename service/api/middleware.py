"""RequestMiddleware: what holds for every request and every answer, whichever route it is: limits, the request's id, headers for browsers."""

import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.api.problems import render
from telemetry.logs.request_id import accepted_id, request_id

MAX_BODY_BYTES: Final = 64 * 1024
MAX_URL_BYTES: Final = 8 * 1024
"""Bytes. No request of this API needs a hundredth of it."""
REQUEST_ID: Final = b"x-request-id"
_LENGTH: Final = b"content-length"
_TOO_LARGE: Final = f"The body is over {MAX_BODY_BYTES // 1024} KiB, which is more than any request here needs."
_TOO_LONG: Final = f"The URL is over {MAX_URL_BYTES // 1024} KiB, which is more than any request here needs."

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# What a browser may do with an answer: show it, and nothing else. A page that needs more says so itself.
SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_log = logging.getLogger(__name__)


def wrap_app(app: FastAPI, open_to_all: str = "") -> None:
    """Around the whole of it, the page of a crash included: what FastAPI calls middleware is inside of that."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: RequestMiddleware(build(), open_to_all=open_to_all)  # type: ignore[method-assign]


class RequestMiddleware:
    """ASGI middleware. `open_to_all` is said once, by a warning, when somebody comes in from another machine."""

    def __init__(self, app: App, *, open_to_all: str = "") -> None:
        self._app = app
        self._open_to_all = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._look_who_comes(scope)
        answer = _Response(send, _id_of(scope))
        token = request_id.set(answer.id)
        try:
            if refusal := _rejection(scope):
                await refusal(scope, receive, answer.send)
            else:
                await self._app(scope, _Body(receive).receive, answer.send)
        finally:
            request_id.reset(token)

    def _look_who_comes(self, scope: Scope) -> None:
        if self._open_to_all and scope.get("server") and not _is_loopback(str(scope["server"][0])):
            said, self._open_to_all = self._open_to_all, ""
            _log.warning(said)


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in {"::1", "localhost", "testserver"}


def _rejection(scope: Scope) -> App | None:
    request = Request(scope)
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > MAX_URL_BYTES:
        return render(request, HTTPStatus.REQUEST_URI_TOO_LONG, _TOO_LONG, {"connection": "close"})
    length = next((value for name, value in scope["headers"] if name == _LENGTH), b"0")
    if length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        return render(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, {"connection": "close"})
    return None


def _id_of(scope: Scope) -> str:
    """What the caller calls it, if that is a word; else the trace's id, else one of its own."""
    said = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    if given := accepted_id(said.decode("latin-1")):
        trace.get_current_span().set_attribute("http.request.header.x-request-id", (given,))
        return given
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else uuid.uuid4().hex


class _Body:
    """A body that says no length is counted while it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MAX_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, {"connection": "close"})
        return message


class _Response:
    def __init__(self, send: Send, identity: str) -> None:
        self.id = identity
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = self._with_ours(message.get("headers", ()))
        return self._send(message)

    def _with_ours(self, given: Any) -> Headers:
        headers = list(given)
        there = {name for name, _ in headers}
        return [
            *headers,
            *(pair for pair in SECURITY_HEADERS if pair[0] not in there),
            (REQUEST_ID, self.id.encode("latin-1")),
        ]
