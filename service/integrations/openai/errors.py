"""Failures: what the SDK raised, as the service's own errors, with nothing of the request in them, nor of the key.

An error of the SDK holds the request, whose headers hold the key, and a 401 repeats a part of it: neither is passed on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx2

from service.integrations.http.errors import (
    CallError,
    Forbidden,
    Misconfigured,
    Rejected,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from service.integrations.openai.retry_after import retry_after
from telemetry.json_safe import without_surrogates
from telemetry.redaction import redact

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


LONGEST_REASON: Final = 500


class QuotaExhausted(Rejected):
    """The account has no money left: no call will be answered until somebody pays, so none is made for a while."""

    retry_after = 900.0

    def __init__(self) -> None:
        super().__init__("OpenAI answers no more calls: the account's quota or balance is used up. Top it up.")


UNSENDABLE_KEY: Final = "The key of OpenAI has characters that a header cannot have: look at OPENAI_API_KEY."
_OPENAI: Final = "OpenAI"
_NO_MONEY: Final = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_not_active"}
)
_REGION: Final = "unsupported_country_region_territory"
_NO_MODEL: Final = "model_not_found"
_NO_PARAMETER: Final = "unsupported_parameter"
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and whether the same call may be made again."""

    error: CallError
    again: bool


def failure_of(error: "openai.OpenAIError") -> Failure:
    import openai  # noqa: PLC0415  # see above

    if isinstance(error, openai.APIStatusError):
        found = _refusal(error)
        return Failure(found, _may_repeat(error, found))
    found = _unreachable(error.__cause__) if isinstance(error, openai.APIConnectionError) else _unforeseen(error)
    return Failure(found, found.retryable)


def _may_repeat(error: "openai.APIStatusError", found: CallError) -> bool:
    """As OpenAI says, if it says so; but a call without money is not made again."""
    said = {"true": True, "false": False}.get(error.response.headers.get("x-should-retry", ""), found.retryable)
    return said and not isinstance(found, QuotaExhausted)


def _unreachable(cause: BaseException | None) -> CallError:
    if isinstance(cause, httpx2.LocalProtocolError):  # whose text is the header, and with it the key
        return Unauthorized(UNSENDABLE_KEY)
    how = "timed out" if isinstance(cause, httpx2.TimeoutException) else f"failed ({type(cause).__name__})"
    return Unreachable(f"{_OPENAI} could not be asked: the call {how}.", reached=not isinstance(cause, _NEVER_SENT))


def _unforeseen(error: "openai.OpenAIError") -> CallError:
    return Rejected(f"The call to {_OPENAI} could not be made ({type(error).__name__}).")


def _refusal(error: "openai.APIStatusError") -> CallError:
    if _NO_MONEY.intersection((str(error.code), str(error.type))):
        return QuotaExhausted()
    if error.status_code >= _SERVER_ERROR:
        return _not_now(error)
    return _BY_STATUS.get(error.status_code, _refused)(error)


def _unpaid(_error: "openai.APIStatusError") -> CallError:
    return QuotaExhausted()


def _unauthorized(_error: "openai.APIStatusError") -> CallError:
    return Unauthorized(f"{_OPENAI} does not accept the key: look at OPENAI_API_KEY.")


def _forbidden(error: "openai.APIStatusError") -> CallError:
    if error.code == _REGION:
        return Forbidden(f"{_OPENAI} does not serve this region: set OPENAI_BASE_URL, or a proxy.")
    return Forbidden(f"{_OPENAI} forbids the call to this key{_details(error)}")


def _not_found(error: "openai.APIStatusError") -> CallError:
    if error.code == _NO_MODEL:
        return Misconfigured(f"{_OPENAI} has no such model, or not for this key: look at OPENAI_MODEL{_details(error)}")
    return Misconfigured(f"{_OPENAI} has nothing at this address: look at OPENAI_BASE_URL{_details(error)}")


def _too_many(error: "openai.APIStatusError") -> CallError:
    return TooManyRequests(_OPENAI, retry_after(error.response.headers, error.type))


def _not_now(error: "openai.APIStatusError") -> CallError:
    return Unreachable(
        f"{_OPENAI} answered with {error.status_code}.",
        reached=True,
        retry_after=retry_after(error.response.headers, error.type),
    )


def _refused(error: "openai.APIStatusError") -> CallError:
    if error.code == _NO_PARAMETER:
        return Misconfigured(f"The model of OPENAI_MODEL does not take the parameter {error.param}{_details(error)}")
    return Rejected(f"{_OPENAI} refused the call with {error.status_code}{_details(error)}")


def _details(error: "openai.APIStatusError") -> str:
    """The end of a sentence: what OpenAI says in words, as far as it does."""
    said = error.body.get("message") if isinstance(error.body, Mapping) else None
    parts = [str(part) for part in (error.code, error.param, said) if part]
    text = redact(without_surrogates(" ".join(", ".join(parts).split())))
    return f" ({text[: LONGEST_REASON - 200]})." if text else "."


_BY_STATUS: Final[Mapping[int, Callable[["openai.APIStatusError"], CallError]]] = {
    401: _unauthorized,
    402: _unpaid,
    403: _forbidden,
    404: _not_found,
    408: _not_now,
    409: _not_now,
    429: _too_many,
}
