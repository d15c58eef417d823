"""ASGI middleware for every request: its host, limits of the body and the URL, the request id, security headers."""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from random import getrandbits
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import trace
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.api.auth import authorize
from service.api.edge.foreign_pages import HostCheck
from service.api.problems import render
from service.errors import Problem
from telemetry.logs.request_id import accepted_id, request_id

MAX_BODY_BYTES: Final = 64 * 1024
MAX_URL_BYTES: Final = 8 * 1024
"""No request of this API needs a hundredth of it."""
REQUEST_ID_HEADER: Final = b"x-request-id"
_CONTENT_LENGTH: Final = b"content-length"
_BODY_TOO_LARGE: Final = f"The body is over {MAX_BODY_BYTES // 1024} KiB, which is more than any request here needs."
_URL_TOO_LONG: Final = f"The URL is over {MAX_URL_BYTES // 1024} KiB, which is more than any request here needs."

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# A browser may show a response, and do nothing else with it. A route that needs more sets its own headers.
SECURITY_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_SECURITY_NAMES: Final = frozenset(name for name, _ in SECURITY_HEADERS)
_log = logging.getLogger(__name__)


def wrap_app(app: FastAPI, exposure_warning: str = "", host_check: HostCheck | None = None) -> None:
    """Wrap the whole application, its handler of crashes included. FastAPI's own middleware would be inside of that.

    Args:
        app: the application.
        exposure_warning: the warning to log when a request arrives from another machine; empty for none.
        host_check: rejects requests for other names than the service's own; None: it answers to all.
    """
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: RequestMiddleware(  # type: ignore[method-assign]
        build(), exposure_warning=exposure_warning, host_check=host_check
    )


class RequestMiddleware:
    """Checks each request, and adds headers to each response.

    `exposure_warning` is logged once, when the first request arrives on an address that is not loopback.
    """

    def __init__(self, app: App, *, exposure_warning: str = "", host_check: HostCheck | None = None) -> None:
        self._app = app
        self._host_check = host_check
        self._exposure_warning = exposure_warning

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._exposure_warning:
            self._warn_if_exposed(scope)
        length, sent = _read(scope["headers"])
        response = _Response(send, _request_id(sent))
        token = request_id.set(response.id)
        try:
            if rejection := _rejection(scope, length) or self._other_name(scope):
                await rejection(scope, receive, response.send)
            else:
                await self._app(scope, _Body(scope, receive).receive, response.send)
        finally:
            request_id.reset(token)

    def _other_name(self, scope: Scope) -> App | None:
        sentence = self._host_check.rejection(scope) if self._host_check else ""
        if not sentence:
            return None
        return render(Request(scope), HTTPStatus.BAD_REQUEST, sentence)

    def _warn_if_exposed(self, scope: Scope) -> None:
        if scope.get("server") and not _is_loopback(str(scope["server"][0])):
            warning, self._exposure_warning = self._exposure_warning, ""
            _log.warning(warning)


def _read(headers: Headers) -> tuple[bytes, bytes]:
    """The length of the body and the request id, as the client gives them; empty if it does not."""
    length = sent = b""
    for name, value in headers:
        if name == _CONTENT_LENGTH:
            length = length or value
        elif name == REQUEST_ID_HEADER:
            sent = sent or value
    return length, sent


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in {"::1", "localhost", "testserver"}


def _rejection(scope: Scope, length: bytes) -> App | None:
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > MAX_URL_BYTES:
        return render(Request(scope), HTTPStatus.REQUEST_URI_TOO_LONG, _URL_TOO_LONG, {"connection": "close"})
    if length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        return render(Request(scope), HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _BODY_TOO_LARGE, {"connection": "close"})
    return None


def _request_id(sent: bytes) -> str:
    """The id that the client sent, if it is acceptable; else the trace id; else a new one."""
    span = trace.get_current_span()
    if sent and (accepted := accepted_id(sent.decode("latin-1"))):
        span.set_attribute("http.request.header.x-request-id", (accepted,))
        return accepted
    return trace.format_trace_id(span.get_span_context().trace_id or getrandbits(128))


class _Body:
    """The body of a request. The application asks for it after routing: only then the route's authorization is known.

    The bytes are counted while they arrive: there may be no content-length.

    Raises:
        HTTPException: 401 or 403 before the first byte is awaited; 413, the body is over `MAX_BODY_BYTES`.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._size = 0
        self._is_authorized = False

    async def receive(self) -> Message:
        if not self._is_authorized:
            await self._authorize()
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > MAX_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _BODY_TOO_LARGE, {"connection": "close"})
        return message

    async def _authorize(self) -> None:
        try:
            await authorize(Request(self._scope))
        except Problem as problem:  # FastAPI lets only its own exceptions pass while it reads a body
            raise HTTPException(problem.status, str(problem), problem.headers) from problem
        self._is_authorized = True


class _Response:
    """Adds the request id and the security headers to the response that it sends."""

    def __init__(self, send: Send, identity: str) -> None:
        self.id = identity
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = self._with_common_headers(message.get("headers", ()))
        return self._send(message)

    def _with_common_headers(self, given: Any) -> Headers:
        headers = list(given)
        present, common = {name for name, _ in headers}, SECURITY_HEADERS
        if not present.isdisjoint(_SECURITY_NAMES):
            common = tuple(pair for pair in SECURITY_HEADERS if pair[0] not in present)
        return [*headers, *common, (REQUEST_ID_HEADER, self.id.encode("latin-1"))]
