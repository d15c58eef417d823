"""How Wildberries refuses: the gateway's problems, the envelope of the reviews, and pages that are no JSON."""

import math
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response

from service.sandbox.credentials import WB_SELLER
from service.sandbox.simulation import Simulation

SOMETHING: Final = "Something went wrong"
_PROBLEM: Final = "application/problem+json"
_MANUAL: Final = "https://dev.wildberries.ru/openapi/api-information"
_PAGE: Final = """<html>\r
<head><title>502 Bad Gateway</title></head>\r
<body>\r
<center><h1>502 Bad Gateway</h1></center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds until the next call may go through, seconds until all of `limit` may at once."""

    retry: float
    reset: float
    limit: int


class Errors:
    """Each answer has ids of its own, the same in a world that is asked the same."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._numbers = count()

    def unauthorized(self, detail: str, origin: str) -> Response:
        return self._gateway(401, "Unauthorized", detail, origin)

    def rate_limited(self, wait: Wait, origin: str) -> Response:
        detail = f"Limited by global limiter, per seller {WB_SELLER}; See {_MANUAL}"
        response = self._gateway(429, "Too Many Requests", detail, origin)
        response.headers["X-Ratelimit-Retry"] = _seconds(wait.retry)
        response.headers["X-Ratelimit-Reset"] = _seconds(wait.reset)
        response.headers["X-Ratelimit-Limit"] = str(wait.limit)
        return response

    def path_not_found(self) -> Response:
        body = {"title": "path not found", "detail": f"Please consult the {_MANUAL}", **self._status(404, "Not Found")}
        return JSONResponse(body, 404, media_type=_PROBLEM)

    def feedbacks(self, status: int, text: str) -> Response:
        """The reviews' own envelope. It also comes with a status of 200."""
        body = {
            "data": None,
            "error": True,
            "errorText": text,
            "additionalErrors": None,
            "requestId": self._request_id(),
        }
        return JSONResponse(body, status)

    def bad_answer(self, detail: str) -> Response:
        """What the method that answers reviews says about a request that it can't read."""
        body = {"title": "bad request", "requestId": self._request_id(), "origin": "fbapi", "detail": detail}
        return JSONResponse(body, 400)

    def bad_gateway(self) -> Response:
        return HTMLResponse(_PAGE, 502)

    def _gateway(self, status: int, words: str, detail: str, origin: str) -> Response:
        random = self._simulation.random("wb-code", next(self._numbers))
        body = {
            "title": words.lower(),
            "detail": detail,
            "code": f"{random.getrandbits(48):012x} {random.getrandbits(48):012x}",
            "requestId": f"{random.getrandbits(128):032x}",
            "origin": origin,
            **self._status(status, words),
        }
        return JSONResponse(body, status, media_type=_PROBLEM)

    def _status(self, status: int, words: str) -> dict[str, Any]:
        return {"status": status, "statusText": words, "timestamp": f"{self._simulation.now():%Y-%m-%dT%H:%M:%SZ}"}

    def _request_id(self) -> str:
        return f"{self._simulation.random('wb-code', next(self._numbers)).getrandbits(128):032x}"


def _seconds(value: float) -> str:
    """Rounded up, so that whoever waits exactly that long is let in; a part of a second in milliseconds."""
    return f"{math.ceil(value * 1000) / 1000:.3f}" if value < 1 else str(math.ceil(value))
