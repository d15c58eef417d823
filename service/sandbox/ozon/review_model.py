"""The simulated reviews of Ozon, and what employees of the seller do with them, by seed and number."""

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
    """An answer; `parent` is the id of the comment that it answers, or empty.

    The fields are the keys of a journal entry.
    """

    id: str
    text: str
    parent: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Handling:
    """What an employee does with a review: views it, or processes it with or without an answer."""

    status: Status
    handled_at: datetime
    answer: Comment | None


@dataclass(frozen=True, slots=True)
class SimulatedReview:
    """A review. Numbers count from 0."""

    number: int
    id: str
    product: Product
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
    def generate(cls, timeline: Timeline, number: int) -> "SimulatedReview":
        random = timeline.simulation.random("ozon-review", number)
        published_at = timeline.created_at(number)
        rating = random.choices(*zip(*_RATINGS, strict=True))[0]
        return cls(
            number=number,
            id=uuid7(random, published_at),
            product=random.choice(CATALOGUE),
            rating=rating,
            text=review_text(random, rating),
            published_at=published_at,
            photos=random.choice((0, 0, 0, 0, 1, 2, 3)),
            videos=random.choice((0, 0, 0, 0, 0, 0, 1)),
            likes=random.choice((0, 0, 0, 1, 2, 5)),
            dislikes=random.choice((0, 0, 0, 0, 1)),
            order_status=random.choices(("DELIVERED", "CANCELLED"), (95, 5))[0],
            is_rating_participant=random.choices((True, False), (90, 10))[0],
            handling=_generate_handling(random, published_at, in_backlog=number < timeline.backlog),
        )

    def handling_at(self, now: datetime) -> Handling | None:
        """What an employee has done by now."""
        return self.handling if self.handling and self.handling.handled_at <= now else None


def _generate_handling(random: Random, published_at: datetime, *, in_backlog: bool) -> Handling | None:
    """Happens minutes after the publication. Rarer for new reviews: the service is to handle those."""
    weights = (45, 15, 40) if in_backlog else (15, 10, 75)
    status: Status = random.choices(("PROCESSED", "VIEWED", "NEW"), weights)[0]
    at = published_at + timedelta(seconds=random.randint(120, 1800))
    if status == "NEW":
        return None
    answers = status == "PROCESSED" and random.choice((True, True, False))
    return Handling(status, at, Comment(uuid7(random, at), answer_text(random), "", at) if answers else None)


def uuid7(random: Random, timestamp: datetime) -> str:
    """A UUID of version 7: the time in milliseconds, and random bits."""
    milliseconds = int(timestamp.timestamp() * 1000)
    bits = milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    return str(UUID(int=bits))
