"""Maps the SDK's exceptions to the service's own errors, without the request and the key.

An exception of the SDK holds the request, whose headers hold the key, and a 401 repeats a part of the key.
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
from telemetry.environment.proxies import through_proxy
from telemetry.json_safe import without_surrogates
from telemetry.redaction import redact

if TYPE_CHECKING:  # the SDK is imported when it is needed: it takes as long to load as half of the service
    import openai


MAX_REASON_LENGTH: Final = 500


class QuotaExhausted(Rejected):
    """The account's quota or balance is used up. Every call fails until somebody pays, so calls stop for `retry_after`."""

    retry_after = 900.0

    def __init__(self) -> None:
        super().__init__("OpenAI rejects all calls: the account's quota or balance is used up. Top it up.")


class InputRefused(Rejected):
    """OpenAI refuses what it was sent, or has no room for it. Another review may be taken."""


class EffortRefused(Misconfigured):
    """The model takes no effort of reasoning, or not this one."""


UNSENDABLE_KEY: Final = "The key of OpenAI has characters that a header cannot have: check OPENAI_API_KEY."
_OPENAI: Final = "OpenAI"
_QUOTA_CODES: Final = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_not_active"}
)
_UNSUPPORTED_REGION: Final = "unsupported_country_region_territory"
_UNKNOWN_MODEL: Final = "model_not_found"
_UNSUPPORTED_PARAMETER: Final = "unsupported_parameter"
INPUT_CODES: Final = frozenset(
    {
        "bio_policy", "content_filter", "content_policy_violation", "context_length_exceeded", "cyber_policy",
        "invalid_prompt", "misalignment_policy_violation", "string_above_max_length",
    }
)  # fmt: skip
"""Codes of errors, and of answers with status 200, that concern the review alone."""
_INPUT_MESSAGES: Final = (
    "content management policy", "context length", "context window", "flagged as potentially", "repetitive patterns",
)  # fmt: skip
_OTHER_REGION: Final = "data_residency_mismatch"
_EFFORT: Final = "reasoning"
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class FailedCall:
    """The error of a failed call, and whether a retry makes sense."""

    error: CallError
    retryable: bool


def classify_error(error: "openai.OpenAIError") -> FailedCall:
    """Map an exception of the SDK to an error of the service."""
    import openai  # noqa: PLC0415  # see above

    if isinstance(error, openai.APIStatusError):
        status_error = _status_error(error)
        return FailedCall(status_error, _is_retryable(error, status_error))
    if not isinstance(error, openai.APIConnectionError):
        failure = _unexpected(error)
    else:
        failure = _unreachable(error.__cause__, str(error.request.url))
    return FailedCall(failure, failure.retryable)


def misconfiguration(code: object) -> Misconfigured | None:
    """The error that a code stands for if every review would meet it until the settings change; None for other codes."""
    if code != _OTHER_REGION:
        return None
    return Misconfigured(
        f"The project of OPENAI_API_KEY keeps its data in another region ({_OTHER_REGION}): set OPENAI_BASE_URL to the "
        "address of that region, or take a key of another project."
    )


def _is_retryable(error: "openai.APIStatusError", mapped: CallError) -> bool:
    """The header x-should-retry decides, if present; a call without quota is never retried."""
    should_retry = error.response.headers.get("x-should-retry", "")
    retryable = {"true": True, "false": False}.get(should_retry, mapped.retryable)
    return retryable and not isinstance(mapped, QuotaExhausted)


def _unreachable(cause: BaseException | None, url: str) -> CallError:
    if isinstance(cause, httpx2.LocalProtocolError):  # whose text is the header, and with it the key
        return Unauthorized(UNSENDABLE_KEY)
    how = "timed out" if isinstance(cause, httpx2.TimeoutException) else f"failed ({type(cause).__name__})"
    return Unreachable(
        f"{_OPENAI} is unavailable: the call {how}{through_proxy(url)}.",
        may_have_applied=not isinstance(cause, _NEVER_SENT),
    )


def _unexpected(error: "openai.OpenAIError") -> CallError:
    return Rejected(f"The call to {_OPENAI} could not be made ({type(error).__name__}).")


def _status_error(error: "openai.APIStatusError") -> CallError:
    if _QUOTA_CODES.intersection((str(error.code), str(error.type))):
        return QuotaExhausted()
    if wrong := misconfiguration(error.code):
        return wrong
    if error.status_code >= _SERVER_ERROR:
        return _temporarily_unavailable(error)
    return _BY_STATUS.get(error.status_code, _bad_request)(error)


def _payment_required(_error: "openai.APIStatusError") -> CallError:
    return QuotaExhausted()


def _unauthorized(_error: "openai.APIStatusError") -> CallError:
    return Unauthorized(f"{_OPENAI} does not accept the key: check OPENAI_API_KEY.")


def _forbidden(error: "openai.APIStatusError") -> CallError:
    if error.code == _UNSUPPORTED_REGION:
        return Forbidden(f"{_OPENAI} does not serve this region: set OPENAI_BASE_URL, or a proxy.")
    return Forbidden(f"{_OPENAI} forbids the call to this key{_details(error)}")


def _not_found(error: "openai.APIStatusError") -> CallError:
    if error.code == _UNKNOWN_MODEL:
        return Misconfigured(f"{_OPENAI} has no such model, or not for this key: check OPENAI_MODEL{_details(error)}")
    return Misconfigured(f"{_OPENAI} has no such endpoint: check OPENAI_BASE_URL{_details(error)}")


def _too_many_requests(error: "openai.APIStatusError") -> CallError:
    return TooManyRequests(_OPENAI, retry_after(error.response.headers, error.type))


def _temporarily_unavailable(error: "openai.APIStatusError") -> CallError:
    return Unreachable(
        f"{_OPENAI} answered with {error.status_code}.",
        may_have_applied=True,
        retry_after=retry_after(error.response.headers, error.type),
    )


def _bad_request(error: "openai.APIStatusError") -> CallError:
    message = _message(error).lower()
    if error.code in INPUT_CODES or any(phrase in message for phrase in _INPUT_MESSAGES):
        return InputRefused(f"{_OPENAI} refuses this review with {error.status_code}{_details(error)}")
    if _EFFORT in (str(error.param) if error.param else message):
        return EffortRefused(
            f"The model of OPENAI_MODEL does not support this effort: check OPENAI_REASONING_EFFORT{_details(error)}"
        )
    if error.code == _UNSUPPORTED_PARAMETER:
        return Misconfigured(f"The model of OPENAI_MODEL does not support the parameter {error.param}{_details(error)}")
    return Rejected(f"{_OPENAI} refused the call with {error.status_code}{_details(error)}")


def _details(error: "openai.APIStatusError") -> str:
    """The end of a sentence: OpenAI's code, parameter and message in parentheses, or a full stop without them."""
    parts = [str(part) for part in (error.code, error.param, _message(error)) if part]
    text = redact(without_surrogates(" ".join(", ".join(parts).split())))
    return f" ({text[: MAX_REASON_LENGTH - 200]})." if text else "."


def _message(error: "openai.APIStatusError") -> str:
    message = error.body.get("message") if isinstance(error.body, Mapping) else None
    return str(message or "")


_BY_STATUS: Final[Mapping[int, Callable[["openai.APIStatusError"], CallError]]] = {
    401: _unauthorized,
    402: _payment_required,
    403: _forbidden,
    404: _not_found,
    408: _temporarily_unavailable,
    409: _temporarily_unavailable,
    429: _too_many_requests,
}
