"""Wildberries: its two APIs for one token, and what their errors mean."""

from collections.abc import Mapping
from typing import Any, Final

from service.integrations.http.client import ApiDescription, ApiResponse, rate_limited
from service.integrations.http.errors import (
    CallError,
    Forbidden,
    Misconfigured,
    NotFound,
    Rejected,
    Unauthorized,
    Unreachable,
)

_SERVICE: Final = "wb"
_WAITS: Final = ("x-ratelimit-retry", "retry-after")
_LONGEST: Final = 200
_UNAUTHORIZED, _PAYMENT, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE = 401, 402, 403, 404, 422


def feedbacks_api(base_url: str, token: str) -> ApiDescription:
    return ApiDescription(_SERVICE, base_url, {"authorization": token}, _refusal, _check)


def statistics_api(base_url: str, token: str) -> ApiDescription:
    return ApiDescription(_SERVICE, base_url, {"authorization": token}, _refusal)


def _check(answer: ApiResponse) -> None:
    """`error: true` comes with status 200."""
    said = _said(answer)
    if said.get("error") is True:
        raise Unreachable(f"wb answered with an error: {_text(said.get('errorText'))}.", reached=True)


def _refusal(answer: ApiResponse) -> CallError:
    if refused := rate_limited(_SERVICE, answer, *_WAITS):
        return refused
    said = _said(answer)
    detail = _text(said.get("detail") or said.get("errorText") or said.get("errors"))
    kind, sentence = _MEANINGS.get(answer.status, (Rejected, "wb refuses the request"))
    return kind(f"{sentence} ({answer.status}: {detail}).")


_MEANINGS: Final[Mapping[int, tuple[type[CallError], str]]] = {
    _UNAUTHORIZED: (Unauthorized, "wb does not accept the token: look at WB_API_TOKEN"),
    _PAYMENT: (Forbidden, "wb wants to be paid for this"),
    _FORBIDDEN: (Forbidden, "wb does not let this token do it: look at the kind and categories of WB_API_TOKEN"),
    _NOT_FOUND: (Misconfigured, "wb has no such method: look at WB_FEEDBACKS_URL and WB_STATISTICS_URL"),
    _UNPROCESSABLE: (NotFound, "wb has nothing of that id"),
}


def _said(answer: ApiResponse) -> Mapping[str, Any]:
    try:
        said = answer.json()
    except CallError:
        return {}
    return said if isinstance(said, Mapping) else {}


def _text(value: object) -> str:
    """What Wildberries says in its own words, one line of it; a token that is echoed stays out."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "no reason given")
    words = (word if len(word) < 40 else "…" for word in text.split())  # noqa: PLR2004  # no word is that long
    return " ".join(words)[:_LONGEST]
