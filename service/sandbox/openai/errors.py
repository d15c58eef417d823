"""Error responses of OpenAI: each has a status, a type, a code and a message."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, Response

INVALID_REQUEST: Final = "invalid_request_error"
ERROR_PAGE: Final = "<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>cloudflare</body></html>"
_MIN_MASKED_LENGTH: Final = 13


@dataclass(slots=True, eq=False)
class ApiError(Exception):
    """An error of the API."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        body: dict[str, Any] = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return JSONResponse({"error": body}, self.status, self.headers)


def invalid(param: str | None, code: str | None, message: str) -> ApiError:
    return ApiError(400, INVALID_REQUEST, code, message, param)


def unauthorized(key: str) -> ApiError:
    """As in the real service, the message shows both ends of the key, and all of a short one."""
    if not key:
        return ApiError(
            401, INVALID_REQUEST, None,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY).",
        )  # fmt: skip
    shown = key if len(key) < _MIN_MASKED_LENGTH else f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}"
    return ApiError(
        401, INVALID_REQUEST, "invalid_api_key",
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
    )  # fmt: skip


def model_not_found(name: str) -> ApiError:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return ApiError(404, INVALID_REQUEST, "model_not_found", message, "model")


def rate_limited(resource: str, limit: int, seconds: float) -> ApiError:
    """`resource` is `requests` or `tokens`."""
    short = {"requests": "RPM", "tokens": "TPM"}[resource]
    return ApiError(
        429, resource, "rate_limit_exceeded",
        f"Rate limit reached in organization org-sandbox on {resource} per min ({short}): Limit {limit}. "
        f"Please try again in {format_duration(seconds)}.",
        headers={"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(math.ceil(seconds * 1000))},
    )  # fmt: skip


def quota_exceeded() -> ApiError:
    return ApiError(
        429, "insufficient_quota", "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    )  # fmt: skip


def credit_exhausted() -> ApiError:
    return ApiError(429, "insufficient_quota", "credit_balance_exhausted", "Your credit balance is exhausted.")


def slow_down() -> ApiError:
    return ApiError(429, "requests", "slow_down", "Please slow down: your requests increase too quickly.")


def overloaded() -> ApiError:
    return ApiError(
        503, "server_error", "server_is_overloaded", "The server is currently overloaded. Please try again later."
    )


def unsupported_region() -> ApiError:
    return ApiError(
        403, "request_forbidden", "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    )  # fmt: skip


def invalid_prompt() -> ApiError:
    message = (
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a "
        "different prompt."
    )
    return ApiError(400, INVALID_REQUEST, "invalid_prompt", message)


def repetitive_patterns() -> ApiError:
    message = "Sorry! We've encountered an issue with repetitive patterns in your prompt."
    return ApiError(400, INVALID_REQUEST, "invalid_prompt", message)


def context_length_exceeded() -> ApiError:
    message = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return invalid("input", "context_length_exceeded", message)


def filtered_by_gateway() -> ApiError:
    return ApiError(422, "content_filter", "content_filter", "The gateway's content filter refuses this prompt.")


def server_error() -> Response:
    return HTMLResponse(ERROR_PAGE.format(title="500 Internal Server Error"), 500)


def format_duration(seconds: float) -> str:
    """In the format of the headers: `120ms`, `1s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
