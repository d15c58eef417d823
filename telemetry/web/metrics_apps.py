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
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    telemetry, status, kind = setup.current(), 200, _TEXT
    if refusal := _refusal(telemetry, headers.get(b"authorization", "")):
        status, body = refusal[0], refusal[1].encode()
    elif telemetry is not None:
        body, kind = await telemetry.metrics.page.render_in_thread(headers.get(b"accept", ""))
    fields = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def wsgi_metrics_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The page of all workers, for WSGI: `DispatcherMiddleware(app, {"/metrics": telemetry.wsgi_metrics_app})`."""
    telemetry, status, kind = setup.current(), 200, _TEXT
    if refusal := _refusal(telemetry, environ.get("HTTP_AUTHORIZATION", "")):
        status, body = refusal[0], refusal[1].encode()
    elif telemetry is not None:
        body, kind = telemetry.metrics.page.render(environ.get("HTTP_ACCEPT", ""))
    start_response(_STATUS[status], [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]
