"""The protocols that a marketplace implements, and the values that it returns: reviews and orders."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

Position = Mapping[str, Any]
"""Where a reading stopped (a cursor), as JSON; START (empty) at the beginning."""
START: Final[Position] = {}

UNKNOWN_CURRENCY: Final = ""
UNKNOWN_RATING: Final = 0
NOT_ANSWERED: Final = "none"
IN_MODERATION: Final = "moderation"
PUBLISHED: Final = "published"
REJECTED: Final = "rejected"
SPLIT_STATUS: Final = "cancelled_from_split_pending"
"""The status of a posting of Ozon that was split: the order goes on in the postings that it was split into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review, without personal data of its author. A missing text is "".

    Attributes:
        created_at: None if it is not known.
        rating: 1 to 5; UNKNOWN_RATING if it is not known.
        product_name: None where the marketplace does not send it with the review.
        answer_text: None where the marketplace does not say: what is stored of the answer then stays.
        answer_state: `none`, `moderation`, `published` or `rejected`.
        answer_editable: whether the marketplace lets the answer be changed; None where it does not say.
        processed: the marketplace does not wait for an answer, though there is none: processed, or archived.
        answer_reason: why the answer was rejected; None if it was not, or the marketplace does not say.
        as_of: when the marketplace was asked. The later of two readings counts.
        odd: what could not be read of it, and is missing here; None if nothing.
    """

    marketplace: str
    external_id: str
    created_at: datetime | None
    rating: int
    text: str
    pros: str = ""
    cons: str = ""
    product_id: str
    product_name: str | None
    answered: bool
    answer_text: str | None
    answer_state: str
    answer_editable: bool | None = None
    processed: bool = False
    as_of: datetime
    answer_reason: str | None = None
    odd: "InvalidPayload | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One product of an order. `price` is per piece, after the seller's discount; 0 and no currency if it is not known."""

    product_id: str
    article: str
    name: str
    quantity: int
    price: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of Wildberries (one piece) or a posting of Ozon (several items), without personal data of the buyer.

    Attributes:
        scheme: `fbo` from the marketplace's warehouse, `fbs` from the seller's.
        ordered_at: None if it is not known.
        status: the marketplace's own word.
        substatus: the marketplace's own word for a part of the status; None where it has none.
        cancelled: nothing of it will be delivered. Also a posting that was split, which then has no items of its own.
        as_of: the marketplace's date of the last change, or when it was asked if it sends none. The later of two
            readings counts.
        odd: what could not be read of it, and is missing here; None if nothing.
    """

    marketplace: str
    external_id: str
    order_number: str
    scheme: str
    ordered_at: datetime | None
    status: str
    cancelled: bool
    cancelled_at: datetime | None
    items: tuple[Item, ...]
    as_of: datetime
    substatus: str | None = None
    odd: "InvalidPayload | None" = None


class InvalidField(ValueError):
    """A field of a payload is missing, null or of another type. The message names it, and never contains its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidPayload:
    """A row that can't be parsed, or the odd part of one. `payload` holds its fields without personal data."""

    external_id: str | None
    reason: str
    payload: Mapping[str, Any]


T = TypeVar("T")


@dataclass(slots=True)
class Page(Generic[T]):
    """Rows, which can be iterated once, and the position behind them, which may be known only after that."""

    rows: Iterable[T | InvalidPayload]
    position: Position


class Source(Protocol[T]):
    """A list that can be read incrementally. `name` is the key of its position."""

    name: str

    def pages(self, position: Position) -> Iterator[Page[T]]:
        """Yield the pages behind a position. The last page's position is where the next reading begins.

        Raises:
            CallError: the list could not be read to its end. The pages before are valid, and reading can resume.
        """
        ...


class OrderMarketplace(Protocol):
    """The orders of a marketplace."""

    name: str

    def sources(self) -> Sequence[Source[Order]]:
        """The lists of its orders."""
        ...


class ReviewMarketplace(Protocol):
    """The reviews of a marketplace: lists, single reviews, and answering."""

    name: str
    answer_length: int
    """The maximum length of an answer, in characters."""
    unanswered: Sequence[Source[Review]]
    """Lists of unanswered reviews, each read completely. A review that is in none of them any more has changed."""
    history: Sequence[Source[Review]]
    """Lists of the other reviews, read incrementally."""

    def read(self, external_id: str) -> Review | InvalidPayload | None:
        """Fetch one review in its current state; None if there is none with that id."""
        ...

    def answer(self, external_id: str, text: str) -> bool:
        """Send an answer, once.

        Returns:
            Whether the marketplace's response proves that it accepted the answer.

        Raises:
            CallError: `may_have_applied` says whether the marketplace may have accepted it all the same.
        """
        ...


@runtime_checkable
class AnswerCorrection(Protocol):
    """A marketplace that lets a published or rejected answer be changed."""

    def correct(self, external_id: str, text: str) -> None:
        """Replace the text of an answer, once. That it returns does not prove that the marketplace accepted the text.

        Raises:
            CallError: `may_have_applied` says whether the marketplace may have accepted it all the same.
        """
        ...
