"""Keyset pagination of the API: newest first, each page after the last row of the previous one.

Rows that are added meanwhile shift nothing.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from fastapi import Request, Response

from service.api.schemas.problem_schemas import Responses

NEXT_PAGE: Final[Responses] = {
    200: {
        "headers": {
            "Link": {
                "description": 'The URL of the next page, as `<…>; rel="next"`. It is missing on the last page.',
                "schema": {"type": "string"},
            }
        }
    }
}


class HasId(Protocol):
    """A row with an id."""

    @property
    def id(self) -> Any: ...


def add_next_link(request: Request, response: Response, rows: Sequence[HasId], limit: int) -> None:
    """Add `Link: …; rel="next"` if there may be more rows: the same query, after the last of these rows."""
    if len(rows) == limit:
        next_url = request.url.include_query_params(before=rows[-1].id)
        response.headers["link"] = f'<{next_url.path}?{next_url.query}>; rel="next"'
