"""Queries that several lists share."""

from typing import Any

from pydantic import BaseModel, Field, model_validator

from service.api.schemas.parameters import PageLimit, RowId


class Filters(BaseModel):
    """A filter that is there and empty (`?rating=&since=`) filters nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty_filters(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != "" or name == "limit"}


class PageQuery(Filters):
    """Which page of those rows."""

    before: RowId | None = Field(
        None, description="Only rows after the one with this id: the last of the page before.", examples=[77]
    )
    limit: PageLimit = 50
