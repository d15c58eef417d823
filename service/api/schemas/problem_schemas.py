"""The body of an error, and the errors that an operation declares."""

from collections.abc import Mapping
from http.client import responses
from typing import Any, Final

from pydantic import BaseModel, Field

PROBLEM_JSON: Final = "application/problem+json"
Responses = dict[int | str, dict[str, Any]]


class ProblemOut(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field("about:blank", description="Always `about:blank`: `status` and `detail` say it all.")
    title: str = Field(description="The name of the status.", examples=["Unprocessable Content"])
    status: int = Field(description="The status of the response.", examples=[422])
    detail: str = Field(
        description="What is wrong, and what to do, in a sentence for people.",
        examples=["limit must be a whole number from 1 to 500; got 0."],
    )
    instance: str = Field(description="The path of the request.", examples=["/api/v1/reviews"])
    trace_id: str | None = Field(
        description="The id to search for in traces and log lines; null if the request has no trace.",
        examples=["0af7651916cd43dd8448eb211c80319c"],
    )


def title_of(status: int) -> str:
    return responses.get(status, "Refused")


def problem_responses(problems: Mapping[int, tuple[str, str]]) -> Responses:
    """Errors as a route declares them: of each status the meaning, and a `detail` for example."""
    return {
        status: {
            "model": ProblemOut,
            "description": meaning,
            "content": {PROBLEM_JSON: {"example": {"detail": detail}}},
        }
        for status, (meaning, detail) in problems.items()
    }


COMMON: Final = problem_responses(
    {
        400: (
            "The service does not answer to the name in the header `Host`: see `ALLOWED_HOSTS`.",
            "The service does not answer to the name 'shop.example': list it in ALLOWED_HOSTS.",
        ),
        413: ("The body is over 64 KiB.", "The body is over 64 KiB, which is more than any request here needs."),
        414: ("The URL is over 8 KiB.", "The URL is over 8 KiB, which is more than any request here needs."),
        500: (
            "The request crashed. The log has the exception, by `trace_id`.",
            "Internal server error; search the logs for this trace id.",
        ),
    }
)
"""The errors that each operation can give."""
UNAUTHORIZED: Final = problem_responses(
    {
        401: (
            "The header `Authorization: Bearer` with `OPS_TOKEN` is missing or wrong.",
            "This needs the header Authorization: Bearer and the service's OPS_TOKEN.",
        )
    }
)
FOREIGN_PAGE: Final = problem_responses(
    {
        403: (
            "Without `OPS_TOKEN`: a page of another site sent the request.",
            "This changes something, and a page of another site sent it (header Origin).",
        ),
        415: (
            "Without `OPS_TOKEN`: the header `Content-Type: application/json` is missing.",
            "This changes something, so it needs the header Content-Type: application/json.",
        ),
    }
)
"""The errors of a request that changes something, while the service has no token."""
UNAVAILABLE: Final = problem_responses(
    {
        503: (
            "The database is unavailable, or too many requests wait. `Retry-After` says in how many seconds to try again.",
            "The database cannot be used now: Connection refused.",
        )
    }
)
INVALID: Final = problem_responses(
    {
        422: (
            "A value is invalid, or a parameter unknown. `detail` says what was given and what may be.",
            "{parameter} must be {expected}; got x.",
        )
    }
)
"""The example is made for the last parameter of the operation."""
UNKNOWN_PARAMETER: Final = problem_responses(
    {
        422: (
            "The query has a parameter that is unknown. `detail` names the nearest one.",
            "limt is unknown: did you mean limit? There is before, limit.",
        )
    }
)
