"""Refusals of Ozon: what an answer that is not 2xx means; the message and the code say it, more than the status."""

import re
from typing import Final

from service.integrations.http.client import ApiResponse, retry_after_seconds
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
from telemetry.json_safe import without_surrogates

_SERVICE: Final = "ozon"
_LONGEST_MESSAGE: Final = 200
# The header's name is not settled, and one that holds a moment instead of seconds would silence the account for years.
_LONGEST_WAIT: Final = 86_400.0
_CIRCUIT_BREAKER: Final = "circle is open"
_NOT_FOUND, _DENIED, _EXHAUSTED, _UNAUTHENTICATED = 5, 7, 8, 16  # the codes of gRPC

_NEW_KEY: Final = "make a new key in the seller's cabinet and set OZON_API_KEY"
_PHRASES: Final[tuple[tuple[str, type[Rejected], str], ...]] = (
    (
        "not available with existing subscription",
        SubscriptionMissing,
        "Ozon gives this to sellers with the subscription for it only; OZON_API_KEY is right, buy the subscription.",
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
        "Ozon takes the key OZON_API_KEY from other IP addresses only: allow this machine's address in the cabinet.",
    ),
    (
        "company is blocked",
        Forbidden,
        "Ozon has blocked the company of OZON_CLIENT_ID: ask the seller support of Ozon.",
    ),
)


def refusal_of(answer: ApiResponse, api_key: str) -> CallError:
    code, message = _said(answer, api_key)
    return _too_many(answer, code, message) or _by_phrase(message) or _by_code(answer.status, code, message)


def _said(answer: ApiResponse, api_key: str) -> tuple[int | None, str]:
    """The code, and the message on one line, with no key in it and no page of HTML."""
    try:
        found = answer.object()
        code, message = found.get("code"), found.get("message")
    except Unreadable:
        code, message = None, answer.text()
    text = " ".join(without_surrogates(message).split()) if isinstance(message, str) else ""
    if api_key:
        text = re.sub(re.escape(api_key), "…", text, flags=re.IGNORECASE)
    return code if isinstance(code, int) else None, "" if text.startswith("<") else text[:_LONGEST_MESSAGE]


def _too_many(answer: ApiResponse, code: int | None, message: str) -> TooManyRequests | None:
    if _CIRCUIT_BREAKER in message.lower():
        return TooManyRequests(_SERVICE, None)
    if answer.status != 429 and code != _EXHAUSTED:  # noqa: PLR2004  # it is what it is
        return None
    asked = retry_after_seconds(answer.headers, "retry-after", "ratelimit-reset")
    return TooManyRequests(_SERVICE, None if asked is None or asked > _LONGEST_WAIT else asked)


def _by_phrase(message: str) -> Rejected | None:
    said = message.lower()
    return next((error(sentence) for phrase, error, sentence in _PHRASES if phrase in said), None)


def _by_code(status: int, code: int | None, message: str) -> Rejected:
    says = f" It says: {message}" if message else ""
    if status == 404:  # noqa: PLR2004  # it is what it is
        return _not_found(code, message, says)
    if status == 401 or code == _UNAUTHENTICATED:  # noqa: PLR2004  # it is what it is
        return Unauthorized(f"Ozon does not accept the key: look at OZON_CLIENT_ID and OZON_API_KEY.{says}")
    if status == 403 or code == _DENIED:  # noqa: PLR2004  # it is what it is
        return Forbidden(f"Ozon does not allow this: look at the roles of OZON_API_KEY in the seller's cabinet.{says}")
    return Rejected(f"Ozon refused the call with {status}.{says}")


def _not_found(code: int | None, message: str, says: str) -> Rejected:
    """A path that does not exist is no proof that a review does not: it is answered in plain text, without a code."""
    if code == _NOT_FOUND or "review not found" in message.lower():
        return NotFound(f"Ozon does not have what was asked for.{says}")
    return Rejected(f"Ozon has no such method: look at OZON_API_URL, or update the service.{says}")
