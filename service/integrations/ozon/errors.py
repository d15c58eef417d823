"""Maps error responses of Ozon to errors, by their message and code more than by their status."""

import re
from typing import Final

from service.integrations.http.api_response import ApiResponse
from service.integrations.http.errors import (
    CallError,
    Forbidden,
    NotFound,
    Rejected,
    SubscriptionMissing,
    TooManyRequests,
    Unauthorized,
    Unreadable,
)
from service.names import OZON
from telemetry.http_client.foreign_values import MAX_RETRY_AFTER, retry_after_seconds
from telemetry.json_safe import without_surrogates

_MAX_MESSAGE_LENGTH: Final = 200
_CIRCUIT_BREAKER: Final = "circle is open"
_NOT_FOUND, _DENIED, _EXHAUSTED, _UNAUTHENTICATED = 5, 7, 8, 16  # the codes of gRPC

_NEW_KEY: Final = "make a new key in the seller's cabinet and set OZON_API_KEY"
_NO_SUCH_METHOD: Final = "Ozon has no such method: check OZON_API_URL, or update the service."
_PHRASES: Final[tuple[tuple[str, type[Rejected], str], ...]] = (
    (
        "not available with existing subscription",
        SubscriptionMissing,
        "Ozon gives this to sellers with the subscription for it only; OZON_API_KEY is right, buy the subscription.",
    ),
    ("method is not allowed", Rejected, _NO_SUCH_METHOD),
    (
        "token must be issued for seller",
        Unauthorized,
        f"This method needs the key of a seller, and OZON_API_KEY is that of an application: {_NEW_KEY}.",
    ),
    (
        "obsolete method cannot be used",
        Rejected,
        "Ozon has switched off a method that this service uses: the service must be updated.",
    ),
    ("deactivated", Unauthorized, f"Ozon's key is deactivated: {_NEW_KEY}."),
    ("expired", Unauthorized, f"Ozon's key has expired: {_NEW_KEY}."),
    (
        "headers are required",
        Unauthorized,
        "Ozon got no Client-Id or no Api-Key: set OZON_CLIENT_ID and OZON_API_KEY.",
    ),
    (
        "invalid api-key",
        Unauthorized,
        "Ozon does not know this key: OZON_API_KEY must be a key of the seller whose number OZON_CLIENT_ID is.",
    ),
    (
        "missing a required role",
        Forbidden,
        "Ozon's key lacks a role: make a key with the roles for reviews, products and postings, and set OZON_API_KEY.",
    ),
    (
        "restricted to specific ip",
        Forbidden,
        "OZON_API_KEY is restricted to other IP addresses: allow this machine's address in the cabinet.",
    ),
    (
        "company is blocked",
        Forbidden,
        "Ozon has blocked the company of OZON_CLIENT_ID: ask the seller support of Ozon.",
    ),
)


def error_from_response(response: ApiResponse, api_key: str) -> CallError:
    """The error of a 3xx or 4xx response. The key is removed from Ozon's message."""
    code, message = _code_and_message(response, api_key)
    return (
        _too_many_requests(response, code, message) or _by_phrase(message) or _by_code(response.status, code, message)
    )


def _code_and_message(response: ApiResponse, api_key: str) -> tuple[int | None, str]:
    """The code, and the message on one line without the key. An HTML page is no message."""
    try:
        body = response.object()
        code, message = body.get("code"), body.get("message")
    except Unreadable:
        code, message = None, response.text()
    text = " ".join(without_surrogates(message).split()) if isinstance(message, str) else ""
    if api_key:
        text = re.sub(re.escape(api_key), "…", text, flags=re.IGNORECASE)
    return code if isinstance(code, int) else None, "" if text.startswith("<") else text[:_MAX_MESSAGE_LENGTH]


def _too_many_requests(response: ApiResponse, code: int | None, message: str) -> TooManyRequests | None:
    if _CIRCUIT_BREAKER in message.lower():
        return TooManyRequests(OZON, None)
    if response.status != 429 and code != _EXHAUSTED:  # noqa: PLR2004  # Too Many Requests
        return None
    seconds = retry_after_seconds(response.headers, "retry-after")
    return TooManyRequests(OZON, _ratelimit_reset(response) if seconds is None else seconds)


def _ratelimit_reset(response: ApiResponse) -> float | None:
    """The header is not documented: what is not less than a day may be a timestamp in place of seconds."""
    seconds = retry_after_seconds(response.headers, "ratelimit-reset")
    return None if seconds == MAX_RETRY_AFTER else seconds


def _by_phrase(message: str) -> Rejected | None:
    text = message.lower()
    return next((error(sentence) for phrase, error, sentence in _PHRASES if phrase in text), None)


def _by_code(status: int, code: int | None, message: str) -> Rejected:
    ozon_says = f" It says: {message}" if message else ""
    if status == 404:  # noqa: PLR2004  # Not Found
        return _not_found(code, message, ozon_says)
    if status == 401 or code == _UNAUTHENTICATED:  # noqa: PLR2004  # Unauthorized
        return Unauthorized(f"Ozon does not accept the key: check OZON_CLIENT_ID and OZON_API_KEY.{ozon_says}")
    if status == 403 or code == _DENIED:  # noqa: PLR2004  # Forbidden
        return Forbidden(
            f"Ozon does not allow this: check the roles of OZON_API_KEY in the seller's cabinet.{ozon_says}"
        )
    return Rejected(f"Ozon refused the call with {status}.{ozon_says}")


def _not_found(code: int | None, message: str, ozon_says: str) -> Rejected:
    """A missing path does not prove that a review is missing: Ozon answers it in plain text, without a code."""
    if code == _NOT_FOUND or "review not found" in message.lower():
        return NotFound(f"Ozon has no object with that id.{ozon_says}")
    return Rejected(f"{_NO_SUCH_METHOD}{ozon_says}")
