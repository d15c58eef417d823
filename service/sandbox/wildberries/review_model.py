"""The simulated reviews of Wildberries: their content, and what people do with them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from service.sandbox.fake_service import Environment
from service.sandbox.simulation import Timeline
from service.sandbox.wildberries.products import PRODUCTS, Product
from service.sandbox.wildberries.review_ids import decode_number, encode_id

BACKLOG_SPAN: Final = timedelta(days=40)
ARCHIVED_AFTER: Final = timedelta(days=30)
_SHARE_WITH_TEXT: Final = 0.86  # the others have only a rating
_SHARE_PROCESSED: Final = 0.08  # of those that nobody answers: an employee marks them as processed
_SUPPLEMENT_EVERY: Final = 37  # every so many-th review supplements an earlier one,
_SUPPLEMENT_DISTANCE: Final = 7  # which is so many before it


@dataclass(frozen=True, slots=True)
class SimulatedReview:
    """A review.

    Attributes:
        created: in whole seconds.
        has_text: False for a rating alone.
        human_at: when an employee of the seller answers, unless the service has; None for never.
        processed_at: when an employee marks it as processed, without an answer; None for never.
    """

    number: int
    id: str
    created: datetime
    product: Product
    buyer: int
    rating: int
    has_text: bool
    photos: int
    human_at: datetime | None
    processed_at: datetime | None

    @property
    def archived_at(self) -> datetime:
        """When it leaves the list of unanswered reviews: at once if it has neither text nor photo."""
        return self.created + ARCHIVED_AFTER if self.has_text or self.photos else self.created


class ReviewStore:
    """All reviews."""

    def __init__(self, environment: Environment) -> None:
        options = environment.options
        self._simulation = environment.simulation
        self._timeline = Timeline(environment.simulation, options.wb_reviews, BACKLOG_SPAN, options.wb_reviews_every)
        self._reviews: list[SimulatedReview] = []

    def all(self) -> Sequence[SimulatedReview]:
        """The reviews that exist now, oldest first. The index of a review is its number."""
        count = self._timeline.count()
        self._reviews.extend(self._make(number) for number in range(len(self._reviews), count))
        return self._reviews[:count]

    def find(self, review_id: str) -> SimulatedReview | None:
        number = decode_number(review_id)
        reviews = self.all()
        if number is None or number >= len(reviews) or reviews[number].id != review_id:
            return None
        return reviews[number]

    def parent(self, review: SimulatedReview) -> SimulatedReview | None:
        """The review that this one supplements, if any."""
        parent = _parent(review.number)
        return None if parent is None else self._reviews[parent]

    def child(self, review: SimulatedReview) -> SimulatedReview | None:
        """The review that supplements this one, if it exists already."""
        number = review.number + _SUPPLEMENT_DISTANCE
        if _parent(number) != review.number or number >= self._timeline.count():
            return None
        return self.all()[number]

    def _make(self, number: int) -> SimulatedReview:
        random = self._simulation.random("wb-review", number)
        buyer = self._buyer(number)
        created = self._timeline.created_at(number).replace(microsecond=0)
        rating = random.choices((5, 4, 3, 2, 1), (58, 14, 9, 7, 12))[0]
        review = SimulatedReview(
            number=number,
            id=encode_id(random, number),
            created=created,
            product=PRODUCTS[buyer % len(PRODUCTS)],
            buyer=buyer,
            rating=rating,
            has_text=random.random() < _SHARE_WITH_TEXT,
            photos=random.choice((0, 0, 0, 1, 3)),
            human_at=self._human_at(random, number, created),
            processed_at=None,
        )
        return replace(review, processed_at=self._processed_at(review))

    def _buyer(self, number: int) -> int:
        """A supplement has the buyer and the product of the review that it supplements."""
        parent = _parent(number)
        return self._simulation.random("wb-buyer", number if parent is None else parent).getrandbits(32)

    def _human_at(self, random: Random, number: int, created: datetime) -> datetime | None:
        """Employees have answered about half of the backlog, and answer some of the new reviews."""
        in_backlog = number < self._timeline.backlog
        share, max_delay = (0.55, timedelta(hours=20)) if in_backlog else (0.12, timedelta(minutes=12))
        delay = random.uniform(0.15, 1) * max_delay
        return created + delay if random.random() < share else None

    def _processed_at(self, review: SimulatedReview) -> datetime | None:
        """From a random sequence of its own."""
        random = self._simulation.random("wb-processed", review.number)
        waits = review.human_at is None and review.archived_at > review.created
        if not waits or random.random() >= _SHARE_PROCESSED:
            return None
        return review.created + random.uniform(0.15, 1) * timedelta(minutes=12)


def _parent(number: int) -> int | None:
    return number - _SUPPLEMENT_DISTANCE if number % _SUPPLEMENT_EVERY == _SUPPLEMENT_EVERY - 1 else None
