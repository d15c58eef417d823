"""Parses the query parameters of the review methods as strictly as Wildberries does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.sandbox.wildberries.errors import GENERIC_ERROR
from service.sandbox.wildberries.review_model import SimulatedReview

MAX_TAKE: Final = 5_000
MAX_SKIP: Final = 199_990
_MAX_INT64: Final = 2**63 - 1
_NEWEST_FIRST: Final = {"dateAsc": False, "dateDesc": True}
Query = Mapping[str, str]


class InvalidQuery(ValueError):
    """The message is the `errorText` of the response."""


def parse_answered(query: Query, *, default: bool | None = None) -> bool:
    """The parameter `isAnswered`.

    Raises:
        InvalidQuery: it is neither `true` nor `false`, or is missing and there is no default.
    """
    value = query.get("isAnswered")
    if value is None and default is not None:
        return default
    if value not in ("true", "false"):
        raise InvalidQuery("Плохой формат isAnswered")
    return value == "true"


def _integer(query: Query, name: str, error: str, allowed: range) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,19}", value) or int(value) not in allowed:
        raise InvalidQuery(error)
    return int(value)


@dataclass(frozen=True, slots=True)
class ListPage:
    """Selects a page of a list of reviews.

    Attributes:
        nm_id: the product; None for all products.
    """

    take: int
    skip: int
    newest_first: bool
    nm_id: int | None

    @classmethod
    def parse(cls, query: Query) -> "ListPage":
        """Raises:
        InvalidQuery: a parameter is missing or invalid.
        """
        take = _integer(query, "take", GENERIC_ERROR, range(1, MAX_TAKE + 1))
        skip = _integer(query, "skip", GENERIC_ERROR, range(MAX_SKIP + 1))
        order = query.get("order", "dateDesc")
        if take is None or skip is None or order not in _NEWEST_FIRST:
            raise InvalidQuery(GENERIC_ERROR)
        return cls(take, skip, _NEWEST_FIRST[order], _integer(query, "nmId", GENERIC_ERROR, range(_MAX_INT64)))

    def select(self, oldest_first: Sequence[SimulatedReview]) -> Sequence[SimulatedReview]:
        """The reviews of this page."""
        selected = [review for review in oldest_first if self.nm_id in (None, review.product.nm_id)]
        if self.newest_first:
            selected.reverse()
        return selected[self.skip : self.skip + self.take]


@dataclass(frozen=True, slots=True)
class DateRange:
    """A range of Unix seconds; both ends are included."""

    since: int
    until: int

    @classmethod
    def parse(cls, query: Query) -> "DateRange":
        """Raises:
        InvalidQuery: a date is no number.
        """
        since = _integer(query, "dateFrom", "Плохой формат dateFrom", range(_MAX_INT64))
        until = _integer(query, "dateTo", "Плохой формат dateTo", range(_MAX_INT64))
        return cls(since or 0, _MAX_INT64 if until is None else until)

    def contains(self, timestamp: datetime) -> bool:
        return self.since <= timestamp.timestamp() <= self.until
