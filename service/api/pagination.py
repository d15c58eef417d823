"""Keyset pagination of the API: newest first, each page after the last row of the previous one.

Rows that are added meanwhile shift nothing.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from fastapi import Request, Response
from pydantic import AwareDatetime, BaseModel, Field, model_validator
from pydantic.functional_validators import AfterValidator, BeforeValidator

from service.database.keyset import MAX_ID

_RFC_3339: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


def _require_rfc3339(given: object) -> object:
    """Pydantic would take a number for Unix seconds. A `+` that was not escaped arrives as a space."""
    timestamp = given.replace(" ", "+") if isinstance(given, str) else ""
    if not re.fullmatch(_RFC_3339, timestamp, re.ASCII | re.IGNORECASE):
        raise ValueError("a moment is written with its offset, as in 2025-10-02T12:00:00Z")
    return timestamp


def _to_utc(timestamp: datetime) -> datetime:
    try:
        return timestamp.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment is out of the calendar") from None


Rfc3339 = Annotated[AwareDatetime, BeforeValidator(_require_rfc3339), AfterValidator(_to_utc)]


class Filters(BaseModel):
    """A filter that is there and empty (`?rating=&since=`) filters nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_filters(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != "" or name == "limit"}


class PageQuery(Filters):
    """Which page of those rows."""

    before: int | None = Field(None, ge=1, le=MAX_ID, description="only rows behind the one of this id")
    limit: int = Field(50, ge=1, le=500)


class HasId(Protocol):
    """A row with an id."""

    @property
    def id(self) -> Any: ...


def add_next_link(request: Request, response: Response, rows: Sequence[HasId], limit: int) -> None:
    """Add `Link: …; rel="next"` if there may be more rows: the same query, after the last of these rows."""
    if len(rows) == limit:
        next_url = request.url.include_query_params(before=rows[-1].id)
        response.headers["link"] = f'<{next_url.path}?{next_url.query}>; rel="next"'
