"""Responses of the Bot API: the envelope of a result, and errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response

_PAGE: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"


@dataclass(slots=True, eq=False)
class ApiError(Exception):
    """An error of the Bot API; `code` is also the HTTP status."""

    code: int
    description: str
    parameters: Mapping[str, int] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = dict(self.parameters)
        wait = self.parameters.get("retry_after")
        return JSONResponse(body, self.code, None if wait is None else {"Retry-After": str(wait)})


def success(result: Any) -> JSONResponse:
    return JSONResponse({"ok": True, "result": result})


def bad_request(why: str) -> ApiError:
    return ApiError(400, f"Bad Request: {why}")


def forbidden(why: str) -> ApiError:
    return ApiError(403, f"Forbidden: {why}")


def rate_limited(seconds: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def bad_gateway() -> Response:
    """An HTML page, as from the proxy in front of the Bot API."""
    return HTMLResponse(_PAGE, 502)
