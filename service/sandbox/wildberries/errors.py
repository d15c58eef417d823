"""Error responses of Wildberries: problem+json of the gateway, the envelope of the reviews, and an HTML page."""

import math
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response

from service.sandbox.credentials import WB_SELLER
from service.sandbox.simulation import Simulation

GENERIC_ERROR: Final = "Something went wrong"
_PROBLEM_JSON: Final = "application/problem+json"
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
class LimitState:
    """The state of a rate limit.

    Attributes:
        retry: seconds until the next call is allowed.
        reset: seconds until `limit` calls are allowed at once.
    """

    retry: float
    reset: float
    limit: int


class WildberriesErrors:
    """Builds the responses. Their ids are different, and the same again after the same calls."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._numbers = count()

    def unauthorized(self, detail: str, origin: str) -> Response:
        return self._gateway(401, "Unauthorized", detail, origin)

    def forbidden(self, detail: str, origin: str) -> Response:
        return self._gateway(403, "Forbidden", detail, origin)

    def rate_limited(self, state: LimitState, origin: str) -> Response:
        detail = f"Limited by global limiter, per seller {WB_SELLER}; See {_MANUAL}"
        response = self._gateway(429, "Too Many Requests", detail, origin)
        response.headers["X-Ratelimit-Retry"] = _seconds(state.retry)
        response.headers["X-Ratelimit-Reset"] = _seconds(state.reset)
        response.headers["X-Ratelimit-Limit"] = str(state.limit)
        return response

    def path_not_found(self) -> Response:
        body = {"title": "path not found", "detail": f"Please consult the {_MANUAL}", **self._status(404, "Not Found")}
        return JSONResponse(body, 404, media_type=_PROBLEM_JSON)

    def feedbacks(self, status: int, text: str) -> Response:
        """An error of the review methods. Its status may be 200."""
        body = {
            "data": None,
            "error": True,
            "errorText": text,
            "additionalErrors": None,
            "requestId": self._request_id(),
        }
        return JSONResponse(body, status)

    def bad_answer(self, detail: str) -> Response:
        """400 of the method that answers reviews, for a request that it cannot parse."""
        body = {"title": "bad request", "requestId": self._request_id(), "origin": "fbapi", "detail": detail}
        return JSONResponse(body, 400)

    def bad_gateway(self) -> Response:
        return HTMLResponse(_PAGE, 502)

    def _gateway(self, status: int, phrase: str, detail: str, origin: str) -> Response:
        random = self._simulation.random("wb-code", next(self._numbers))
        body = {
            "title": phrase.lower(),
            "detail": detail,
            "code": f"{random.getrandbits(48):012x} {random.getrandbits(48):012x}",
            "requestId": f"{random.getrandbits(128):032x}",
            "origin": origin,
            **self._status(status, phrase),
        }
        return JSONResponse(body, status, media_type=_PROBLEM_JSON)

    def _status(self, status: int, phrase: str) -> dict[str, Any]:
        return {"status": status, "statusText": phrase, "timestamp": f"{self._simulation.now():%Y-%m-%dT%H:%M:%SZ}"}

    def _request_id(self) -> str:
        return f"{self._simulation.random('wb-code', next(self._numbers)).getrandbits(128):032x}"


def _seconds(value: float) -> str:
    """Rounded up, so that a client that waits exactly so long is allowed; below a second in milliseconds."""
    return f"{math.ceil(value * 1000) / 1000:.3f}" if value < 1 else str(math.ceil(value))
