"""The parameters of the reviews' methods, read as strictly as Wildberries reads them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.sandbox.wildberries.errors import SOMETHING
from service.sandbox.wildberries.review_model import Review

TAKE: Final = 5_000
SKIP: Final = 199_990
_LONG: Final = 2**63 - 1
_ORDERS: Final = {"dateAsc": False, "dateDesc": True}
Query = Mapping[str, str]


class BadQuery(ValueError):
    """The message is the `errorText` of the answer."""


def answered(query: Query, *, default: bool | None = None) -> bool:
    given = query.get("isAnswered")
    if given is None and default is not None:
        return default
    if given not in ("true", "false"):
        raise BadQuery("Плохой формат isAnswered")
    return given == "true"


def _integer(query: Query, name: str, error: str, within: range) -> int | None:
    given = query.get(name)
    if given is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,19}", given) or int(given) not in within:
        raise BadQuery(error)
    return int(given)


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list of reviews.

    Attributes:
        nm_id: of whose product; None for all of them.
    """

    take: int
    skip: int
    newest_first: bool
    nm_id: int | None

    @classmethod
    def read(cls, query: Query) -> "Page":
        """Raises:
        BadQuery: something is missing, or is not what it has to be.
        """
        take = _integer(query, "take", SOMETHING, range(1, TAKE + 1))
        skip = _integer(query, "skip", SOMETHING, range(SKIP + 1))
        order = query.get("order", "dateDesc")
        if take is None or skip is None or order not in _ORDERS:
            raise BadQuery(SOMETHING)
        return cls(take, skip, _ORDERS[order], _integer(query, "nmId", SOMETHING, range(_LONG)))

    def of(self, oldest_first: Sequence[Review]) -> Sequence[Review]:
        chosen = [review for review in oldest_first if self.nm_id in (None, review.product.nm_id)]
        if self.newest_first:
            chosen.reverse()
        return chosen[self.skip : self.skip + self.take]


@dataclass(frozen=True, slots=True)
class Window:
    """Between two moments in Unix seconds, both included."""

    since: int
    until: int

    @classmethod
    def read(cls, query: Query) -> "Window":
        """Raises:
        BadQuery: a moment is no number.
        """
        since = _integer(query, "dateFrom", "Плохой формат dateFrom", range(_LONG))
        until = _integer(query, "dateTo", "Плохой формат dateTo", range(_LONG))
        return cls(since or 0, _LONG if until is None else until)

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment.timestamp() <= self.until
