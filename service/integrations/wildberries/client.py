"""The two APIs of Wildberries, and what their errors mean."""

from collections.abc import Mapping
from typing import Any, Final

from service.integrations.http.api_response import ApiResponse
from service.integrations.http.client import ApiDescription, rate_limited
from service.integrations.http.errors import (
    CallError,
    Forbidden,
    Misconfigured,
    NotFound,
    Rejected,
    Unauthorized,
    Unreachable,
)
from service.names import WB

FEEDBACKS_ENDPOINTS: Final = (
    "/ping",
    "/api/v1/feedbacks",
    "/api/v1/feedbacks/answer",
    "/api/v1/feedbacks/archive",
    "/api/v1/feedbacks/count",
    "/api/v1/feedback",
)
STATISTICS_ENDPOINTS: Final = ("/ping", "/api/v1/supplier/orders", "/api/v1/supplier/sales")
_RETRY_AFTER_HEADERS: Final = ("x-ratelimit-retry", "retry-after")
_MAX_REASON_LENGTH: Final = 200
_UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE = 401, 402, 403, 404, 422
_CREDENTIALS_REFUSED: Final = (_UNAUTHORIZED, _FORBIDDEN)


def feedbacks_api(base_url: str, token: str, secret: str | None = None) -> ApiDescription:
    """The API of reviews."""
    return ApiDescription(WB, base_url, _credentials(token, secret), _error_from, _check)


def statistics_api(base_url: str, token: str, secret: str | None = None) -> ApiDescription:
    """The API of orders."""
    return ApiDescription(WB, base_url, _credentials(token, secret), _error_from)


def _credentials(token: str, secret: str | None) -> Mapping[str, str]:
    """The headers of each call. The secret of a Base token gives it the limits of the other kinds."""
    return {"authorization": token} | ({} if secret is None else {"x-client-secret": secret})


def _check(response: ApiResponse) -> None:
    """Errors come with status 200 and `error: true`, too."""
    body = _body(response)
    if body.get("error") is True:
        raise Unreachable(f"wb answered with an error: {_text(body.get('errorText'))}.", may_have_applied=True)


def _error_from(response: ApiResponse) -> CallError:
    if error := rate_limited(WB, response, *_RETRY_AFTER_HEADERS):
        return error
    body = _body(response)
    detail = _text(body.get("detail") or body.get("errorText") or body.get("errors"))
    error_class, sentence = _ERRORS_BY_STATUS.get(response.status, (Rejected, "wb refuses the request"))
    if response.status in _CREDENTIALS_REFUSED and "secret" in detail.lower():
        sentence = "wb does not accept this token with this secret, or without one: check WB_CLIENT_SECRET"
    return error_class(f"{sentence} ({response.status}: {detail}).")


_ERRORS_BY_STATUS: Final[Mapping[int, tuple[type[CallError], str]]] = {
    _UNAUTHORIZED: (Unauthorized, "wb does not accept the token: check WB_API_TOKEN"),
    _PAYMENT_REQUIRED: (Forbidden, "wb requires a payment for this"),
    _FORBIDDEN: (Forbidden, "wb forbids this to the token: check the kind and categories of WB_API_TOKEN"),
    _NOT_FOUND: (Misconfigured, "wb has no such method: check WB_FEEDBACKS_URL and WB_STATISTICS_URL"),
    _UNPROCESSABLE: (NotFound, "wb has no object with that id"),
}


def _body(response: ApiResponse) -> Mapping[str, Any]:
    """The JSON object of the body; empty if it is none."""
    try:
        return response.object()
    except CallError:
        return {}


def _text(value: object) -> str:
    """The reason that Wildberries gives, on one line. Words of 40 characters or more may be an echoed token."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "no reason given")
    words = (word if len(word) < 40 else "…" for word in text.split())  # noqa: PLR2004  # no real word is that long
    return " ".join(words)[:_MAX_REASON_LENGTH]
