"""The metrics page as an ASGI and as a WSGI application, to be mounted in an application of another framework."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from telemetry import setup
from telemetry.build import Telemetry
from telemetry.web.access import NOT_STARTED, UNAUTHORIZED, is_authorized

_Message = MutableMapping[str, Any]
_Send = Callable[[_Message], Awaitable[None]]
_Receive = Callable[[], Awaitable[_Message]]
_TEXT: Final = "text/plain; charset=utf-8"
_STATUS: Final = {200: "200 OK", 401: "401 Unauthorized", 503: "503 Service Unavailable"}


def _refusal(telemetry: Telemetry | None, authorization: str) -> tuple[int, str] | None:
    """The status and the reason why the page is not shown; None if it is."""
    if telemetry is None:
        return 503, NOT_STARTED
    return None if is_authorized(telemetry, authorization) else (401, UNAUTHORIZED)


async def asgi_metrics_app(scope: _Message, _receive: _Receive, send: _Send) -> None:
    """The page of all workers, for ASGI: `Mount("/metrics", telemetry.asgi_metrics_app)`."""
    if scope["type"] != "http":
        return
    telemetry, status, fields = setup.current(), 200, {"Content-Type": _TEXT}
    if refusal := _refusal(telemetry, _values(scope, b"authorization")):
        status, body = refusal[0], refusal[1].encode()
    elif telemetry is not None:
        wanted = _values(scope, b"accept"), _values(scope, b"accept-encoding")
        body, fields = await telemetry.metrics.page.respond_in_thread(*wanted)
    fields = {**fields, "Content-Length": str(len(body))}
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _values(scope: _Message, name: bytes) -> str:
    """The values of a header, which may come more than once."""
    return ", ".join(value.decode("latin-1") for given, value in scope["headers"] if given.lower() == name)


def wsgi_metrics_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The page of all workers, for WSGI: `DispatcherMiddleware(app, {"/metrics": telemetry.wsgi_metrics_app})`."""
    telemetry, status, fields = setup.current(), 200, {"Content-Type": _TEXT}
    if refusal := _refusal(telemetry, environ.get("HTTP_AUTHORIZATION", "")):
        status, body = refusal[0], refusal[1].encode()
    elif telemetry is not None:
        wanted = environ.get("HTTP_ACCEPT", ""), environ.get("HTTP_ACCEPT_ENCODING", "")
        body, fields = telemetry.metrics.page.respond(*wanted)
    start_response(_STATUS[status], [*fields.items(), ("Content-Length", str(len(body)))])
    return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]
