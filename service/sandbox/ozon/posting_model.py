"""The simulated postings of Ozon: their content and changes, which depend on the seed and the number alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal

from service.sandbox.ozon.products import CATALOGUE, Product
from service.sandbox.simulation import Timeline

Scheme = Literal["fbs", "fbo"]

_PACKAGING: Final = "awaiting_packaging"
CANCELLED: Final = "cancelled"
DELIVERING: Final = "delivering"
# Each status, with the minimum and maximum seconds of the status before it.
_STEPS: Final = (
    ("awaiting_deliver", 180, 36_000),
    (DELIVERING, 1_800, 108_000),
    ("delivered", 86_400, 691_200),
)
_CANCELLED_PER_STEP: Final = 0.0345  # one of ten postings, over three steps
_SHARE_SPLIT: Final = 0.2
_SHARE_PAID_LATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """The posting has this status since `changed_at`."""

    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """A posting. Numbers count from 0; an order may have two postings. Times are whole seconds."""

    number: int
    scheme: Scheme
    order_id: int
    order_number: str
    posting_number: str
    created_at: datetime
    is_paid_late: bool
    contents: tuple[tuple[Product, int], ...]
    changes: tuple[Change, ...]

    @classmethod
    def generate(cls, timeline: Timeline, number: int) -> "Posting":
        order = _order_number(timeline, number)
        order_random = timeline.simulation.random("ozon-order", order)
        scheme: Scheme = order_random.choices(("fbs", "fbo"), (60, 40))[0]
        order_number = f"{order_random.randrange(10**9):010d}-{order:04d}"
        random = timeline.simulation.random("ozon-posting", number)
        created_at = timeline.created_at(number).replace(microsecond=0)
        return cls(
            number=number,
            scheme=scheme,
            order_id=30_011_000_000 + order,
            order_number=order_number,
            posting_number=f"{order_number}-{1 + number - order}",
            created_at=created_at,
            is_paid_late=random.random() < _SHARE_PAID_LATE,
            contents=_contents(random),
            changes=_changes(random, created_at),
        )

    def last_change(self, now: datetime) -> Change:
        """The current status."""
        return next((change for change in reversed(self.changes) if change.changed_at <= now), self.changes[0])

    def reached_at(self, status: str, now: datetime) -> datetime | None:
        """When the posting reached a status; None if it has not."""
        return next(
            (change.changed_at for change in self.changes if change.status == status and change.changed_at <= now), None
        )


def _order_number(timeline: Timeline, number: int) -> int:
    """The number of the first posting of the order of a posting."""
    first = number - number % 2
    return first if timeline.simulation.random("ozon-split", first).random() < _SHARE_SPLIT else number


def _contents(random: Random) -> tuple[tuple[Product, int], ...]:
    products = random.sample(CATALOGUE, random.choices((1, 2, 3), (80, 15, 5))[0])
    return tuple((product, random.choices((1, 2, 3), (85, 12, 3))[0]) for product in products)


def _changes(random: Random, created_at: datetime) -> tuple[Change, ...]:
    changes = [Change(_PACKAGING, created_at)]
    for status, min_seconds, max_seconds in _STEPS:
        # Squared, so that most steps are short.
        delay = timedelta(seconds=min_seconds + int((max_seconds - min_seconds) * random.random() ** 2))
        previous = changes[-1].changed_at
        if random.random() < _CANCELLED_PER_STEP:
            changes.append(
                Change(CANCELLED, previous + timedelta(seconds=int(delay.total_seconds() * random.random())))
            )
            break
        changes.append(Change(status, previous + delay))
    return tuple(changes)
