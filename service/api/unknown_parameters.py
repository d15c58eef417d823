"""Rejects parameters of the query that the route does not have: a misspelled filter would filter nothing."""

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from service.api.schemas.invalid_values import known_names


async def reject_unknown_parameters(request: Request) -> None:
    """Raise if the query has a name that the route does not know. A coroutine, so that it needs no thread.

    Raises:
        RequestValidationError: 422, which names the nearest parameter.
    """
    if not request.scope["query_string"]:
        return
    known = known_names(request, "query")
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "msg": "", "input": None} for name in unknown]
        )
