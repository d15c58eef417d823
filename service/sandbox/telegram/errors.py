"""The envelope of the Bot API: what was asked for, or the sentence that says why not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response

_PAGE: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"


@dataclass(slots=True, eq=False)
class Refused(Exception):
    """What a call was refused for; `code` is the HTTP status too."""

    code: int
    description: str
    parameters: Mapping[str, int] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = dict(self.parameters)
        wait = self.parameters.get("retry_after")
        return JSONResponse(body, self.code, None if wait is None else {"Retry-After": str(wait)})


def done(result: Any) -> JSONResponse:
    return JSONResponse({"ok": True, "result": result})


def bad_request(why: str) -> Refused:
    return Refused(400, f"Bad Request: {why}")


def forbidden(why: str) -> Refused:
    return Refused(403, f"Forbidden: {why}")


def too_many(seconds: int) -> Refused:
    return Refused(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def bad_gateway() -> Response:
    """From the machine in front of it, which knows no envelope."""
    return HTMLResponse(_PAGE, 502)
