"""A posting at Ozon: what is in it, and how it moves on, by seed and number alone."""

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
# Each step, with the least and the most seconds that the one before it takes.
_STEPS: Final = (
    ("awaiting_deliver", 180, 36_000),
    (DELIVERING, 1_800, 108_000),
    ("delivered", 86_400, 691_200),
)
_CANCELLED_IN_A_STEP: Final = 0.0345  # one in ten, over three steps
_SPLIT: Final = 0.2
_PAID_LATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """A posting has this status from this moment on."""

    status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """The number-th posting, counted from 0; one order may have two. Its moments are whole seconds."""

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
    def drawn(cls, timeline: Timeline, number: int) -> "Posting":
        order = _order_of(timeline, number)
        of_order = timeline.simulation.random("ozon-order", order)
        scheme: Scheme = of_order.choices(("fbs", "fbo"), (60, 40))[0]
        order_number = f"{of_order.randrange(10**9):010d}-{order:04d}"
        random = timeline.simulation.random("ozon-posting", number)
        created_at = timeline.created_at(number).replace(microsecond=0)
        return cls(
            number=number,
            scheme=scheme,
            order_id=30_011_000_000 + order,
            order_number=order_number,
            posting_number=f"{order_number}-{1 + number - order}",
            created_at=created_at,
            is_paid_late=random.random() < _PAID_LATE,
            contents=_contents(random),
            changes=_changes(random, created_at),
        )

    def last_change(self, now: datetime) -> Change:
        return next((change for change in reversed(self.changes) if change.at <= now), self.changes[0])

    def moment_of(self, status: str, now: datetime) -> datetime | None:
        """None while it has not come to that."""
        return next((change.at for change in self.changes if change.status == status and change.at <= now), None)


def _order_of(timeline: Timeline, number: int) -> int:
    """The number of the first posting of the order that a posting belongs to."""
    first = number - number % 2
    return first if timeline.simulation.random("ozon-split", first).random() < _SPLIT else number


def _contents(random: Random) -> tuple[tuple[Product, int], ...]:
    products = random.sample(CATALOGUE, random.choices((1, 2, 3), (80, 15, 5))[0])
    return tuple((product, random.choices((1, 2, 3), (85, 12, 3))[0]) for product in products)


def _changes(random: Random, created_at: datetime) -> tuple[Change, ...]:
    changes = [Change(_PACKAGING, created_at)]
    for status, least, most in _STEPS:
        # Squared, because most things are done early.
        wait = timedelta(seconds=least + int((most - least) * random.random() ** 2))
        before = changes[-1].at
        if random.random() < _CANCELLED_IN_A_STEP:
            changes.append(Change(CANCELLED, before + timedelta(seconds=int(wait.total_seconds() * random.random()))))
            break
        changes.append(Change(status, before + wait))
    return tuple(changes)
