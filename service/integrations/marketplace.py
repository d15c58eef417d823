"""Marketplace: what a review and an order are, wherever they come from, and what a marketplace can be asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, Protocol, TypeVar

Position = Mapping[str, Any]
"""Where a reading stopped, as JSON; empty where it begins."""
START: Final[Position] = {}

NOT_ANSWERED: Final = "none"
IN_MODERATION: Final = "moderation"
PUBLISHED: Final = "published"
REJECTED: Final = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Nothing in it says who wrote it. A text is "" where there is none.

    Attributes:
        rating: 1 to 5.
        product_name: None where the marketplace does not say it beside the review.
        answer_state: `none`, `moderation`, `published` or `rejected`.
        as_of: when the marketplace was asked; of two readings the later one counts.
    """

    marketplace: str
    external_id: str
    created_at: datetime
    rating: int
    text: str
    pros: str = ""
    cons: str = ""
    product_id: str
    product_name: str | None
    answered: bool
    answer_text: str | None
    answer_state: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One product of an order; `price` is that of one piece, after the seller's discount."""

    product_id: str
    article: str
    name: str
    quantity: int
    price: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of Wildberries (one piece), a posting of Ozon (several items). Nothing in it says who bought.

    Attributes:
        scheme: `fbo` from the marketplace's warehouse, `fbs` from the seller's.
        status: the marketplace's own word.
        as_of: of two readings the one with the later moment counts: the marketplace's own date of the last change where
            it has one, else when it was asked.
    """

    marketplace: str
    external_id: str
    order_number: str
    scheme: str
    ordered_at: datetime
    status: str
    cancelled: bool
    cancelled_at: datetime | None
    items: tuple[Item, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidPayload:
    """A row that can't be read. `payload` holds the fields that say nothing of the buyer, as they came."""

    external_id: str | None
    reason: str
    payload: Mapping[str, Any]


T = TypeVar("T")


@dataclass(slots=True)
class Page(Generic[T]):
    """Rows, which may be read once only, and the position behind them, which may be known only when they have been read."""

    rows: Iterable[T | InvalidPayload]
    position: Position


class Source(Protocol[T]):
    """A list that can be read on from where the last reading stopped. `name` is the key of its position."""

    name: str

    def pages(self, position: Position) -> Iterator[Page[T]]:
        """Ends when there is no more for now. The last page's position is where the next reading begins.

        Raises:
            CallError: what was read until then is right, and can be gone on from.
        """
        ...


class ReviewMarketplace(Protocol):
    """What is asked of a marketplace about reviews."""

    name: str
    answer_length: int
    """Characters that an answer may have."""
    unanswered: Sequence[Source[Review]]
    """Lists of what waits for an answer, each read as a whole: what is in none of them any more has changed."""
    history: Sequence[Source[Review]]

    def read(self, external_id: str) -> Review | InvalidPayload | None:
        """One review as it is now; None when there is none of that id."""
        ...

    def answer(self, external_id: str, text: str) -> bool:
        """Write once. Returns whether the marketplace's answer proves that it was taken.

        Raises:
            CallError: `reached` says whether it may have been taken all the same.
        """
        ...
