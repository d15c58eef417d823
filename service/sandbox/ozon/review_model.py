"""A review at Ozon: what the buyer wrote, and what people of the seller's do with it, by seed and number."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal
from uuid import UUID

from service.sandbox.ozon.products import CATALOGUE, Product
from service.sandbox.ozon.review_texts import answer_text, review_text
from service.sandbox.simulation import Timeline

Status = Literal["NEW", "VIEWED", "PROCESSED"]
_RATINGS: Final = ((5, 55), (4, 17), (3, 9), (2, 7), (1, 12))


@dataclass(frozen=True, slots=True)
class Comment:
    """An answer; `parent` is the id of the comment that it answers, or empty."""

    id: str
    text: str
    parent: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Handling:
    """What somebody does in the seller's cabinet, by hand: looks at a review, or deals with it, with or without an answer."""

    status: Status
    at: datetime
    answer: Comment | None


@dataclass(frozen=True, slots=True)
class Review:
    """The number-th review, counted from 0."""

    number: int
    id: str
    product: Product
    sku_is_text: bool
    rating: int
    text: str
    published_at: datetime
    photos: int
    videos: int
    likes: int
    dislikes: int
    order_status: Literal["DELIVERED", "CANCELLED"]
    is_rating_participant: bool
    handling: Handling | None

    @classmethod
    def drawn(cls, timeline: Timeline, number: int) -> "Review":
        random = timeline.simulation.random("ozon-review", number)
        published_at = timeline.created_at(number)
        rating = random.choices(*zip(*_RATINGS, strict=True))[0]
        return cls(
            number=number,
            id=identifier(random, published_at),
            product=random.choice(CATALOGUE),
            sku_is_text=random.random() < 0.5,  # noqa: PLR2004  # half of them
            rating=rating,
            text=review_text(random, rating),
            published_at=published_at,
            photos=random.choice((0, 0, 0, 0, 1, 2, 3)),
            videos=random.choice((0, 0, 0, 0, 0, 0, 1)),
            likes=random.choice((0, 0, 0, 1, 2, 5)),
            dislikes=random.choice((0, 0, 0, 0, 1)),
            order_status=random.choices(("DELIVERED", "CANCELLED"), (95, 5))[0],
            is_rating_participant=random.choices((True, False), (90, 10))[0],
            handling=_handled(random, published_at, in_backlog=number < timeline.backlog),
        )

    def handled(self, now: datetime) -> Handling | None:
        return self.handling if self.handling and self.handling.at <= now else None


def _handled(random: Random, published_at: datetime, *, in_backlog: bool) -> Handling | None:
    """Minutes after it was published; the less, the more the service is there to do it."""
    weights = (45, 15, 40) if in_backlog else (15, 10, 75)
    status: Status = random.choices(("PROCESSED", "VIEWED", "NEW"), weights)[0]
    at = published_at + timedelta(seconds=random.randint(120, 1800))
    if status == "NEW":
        return None
    answers = status == "PROCESSED" and random.choice((True, True, False))
    return Handling(status, at, Comment(identifier(random, at), answer_text(random), "", at) if answers else None)


def identifier(random: Random, at: datetime) -> str:
    """A UUID of version 7: the moment in milliseconds, then chance."""
    milliseconds = int(at.timestamp() * 1000)
    bits = milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    return str(UUID(int=bits))
