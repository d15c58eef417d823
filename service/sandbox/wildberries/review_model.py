"""Which reviews Wildberries has, and what will become of each if nobody does anything about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from service.sandbox.fake_service import Environment
from service.sandbox.simulation import Timeline
from service.sandbox.wildberries.products import PRODUCTS, Product
from service.sandbox.wildberries.review_ids import id_of, number_of

SPAN: Final = timedelta(days=40)
ARCHIVED_AFTER: Final = timedelta(days=30)
_WORDED: Final = 0.86  # of all reviews; the others are a rating alone
_CHAIN: Final = 37  # each so many-th review supplements the one that is
_LINK: Final = 7  # so many before it


@dataclass(frozen=True, slots=True)
class Review:
    """Attributes:
    created: in whole seconds.
    worded: False for a rating without any text.
    human_at: when a person at the seller's answers it, if the service has not done so by then.
    """

    number: int
    id: str
    created: datetime
    product: Product
    buyer: int
    rating: int
    worded: bool
    photos: int
    human_at: datetime | None

    @property
    def archived_at(self) -> datetime:
        """When it leaves the list of the unanswered: at once, with neither text nor photo."""
        return self.created + ARCHIVED_AFTER if self.worded or self.photos else self.created


class Reviews:
    """All reviews by now, oldest first."""

    def __init__(self, environment: Environment) -> None:
        options = environment.options
        self._simulation = environment.simulation
        self._timeline = Timeline(environment.simulation, options.wb_reviews, SPAN, options.wb_reviews_every)
        self._made: list[Review] = []

    def known(self) -> Sequence[Review]:
        count = self._timeline.count()
        self._made.extend(self._make(number) for number in range(len(self._made), count))
        return self._made[:count]

    def find(self, review_id: str) -> Review | None:
        number = number_of(review_id)
        known = self.known()
        if number is None or number >= len(known) or known[number].id != review_id:
            return None
        return known[number]

    def parent(self, review: Review) -> Review | None:
        """The review that this one supplements."""
        parent = _parent(review.number)
        return None if parent is None else self._made[parent]

    def child(self, review: Review) -> Review | None:
        """The review that supplements this one, once it has been written."""
        number = review.number + _LINK
        if _parent(number) != review.number or number >= self._timeline.count():
            return None
        return self.known()[number]

    def _make(self, number: int) -> Review:
        random = self._simulation.random("wb-review", number)
        buyer = self._buyer(number)
        created = self._timeline.created_at(number).replace(microsecond=0)
        rating = random.choices((5, 4, 3, 2, 1), (58, 14, 9, 7, 12))[0]
        return Review(
            number=number,
            id=id_of(random, number),
            created=created,
            product=PRODUCTS[buyer % len(PRODUCTS)],
            buyer=buyer,
            rating=rating,
            worded=random.random() < _WORDED,
            photos=random.choice((0, 0, 0, 1, 3)),
            human_at=self._human_at(random, number, created),
        )

    def _buyer(self, number: int) -> int:
        """Whoever supplements a review is who wrote it, and has bought the same."""
        parent = _parent(number)
        return self._simulation.random("wb-buyer", number if parent is None else parent).getrandbits(32)

    def _human_at(self, random: Random, number: int, created: datetime) -> datetime | None:
        """People have answered a good half of the backlog, and go on answering now and then."""
        in_backlog = number < self._timeline.backlog
        share, longest = (0.55, timedelta(hours=20)) if in_backlog else (0.12, timedelta(minutes=12))
        delay = random.uniform(0.15, 1) * longest
        return created + delay if random.random() < share else None


def _parent(number: int) -> int | None:
    return number - _LINK if number % _CHAIN == _CHAIN - 1 else None
