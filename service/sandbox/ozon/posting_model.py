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
SPLIT: Final = "cancelled_from_split_pending"
VERIFICATION: Final = "awaiting_verification"
NOT_ACCEPTED: Final = "not_accepted"
DELIVERING: Final = "delivering"
# Each status, with the minimum and maximum seconds of the status before it.
_STEPS: Final = (
    ("awaiting_deliver", 180, 36_000),
    (DELIVERING, 1_800, 108_000),
    ("delivered", 86_400, 691_200),
)
_CANCELLED_PER_STEP: Final = 0.0345  # one of ten postings, over three steps
_SHARE_SPLIT: Final = 0.2
_SHARE_SPLIT_LATER: Final = 0.5
_SHARE_VERIFIED: Final = 0.1
_SHARE_NOT_ACCEPTED: Final = 0.1
_SHARE_PAID_LATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """The posting has this status since `changed_at`."""

    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """A posting. Numbers count from 0; an order may have two postings. Times are whole seconds.

    Of some orders the second posting is what the first one was split into: its `parent` is the number of the first.
    """

    number: int
    scheme: Scheme
    order_id: int
    order_number: str
    posting_number: str
    parent: str
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
        is_split = scheme == "fbs" and _is_split_later(timeline, order)
        is_part = is_split and number != order
        random = timeline.simulation.random("ozon-posting", number)
        created_at = timeline.created_at(number).replace(microsecond=0)
        is_paid_late, contents = random.random() < _SHARE_PAID_LATE, _contents(random)
        changes = _changes(random, created_at)
        if scheme == "fbs":
            changes = _with_detours(timeline.simulation.random("ozon-states", number), changes)
        if is_split and not is_part:
            split_at = timeline.created_at(number + 1).replace(microsecond=0)
            changes = (Change(_PACKAGING, created_at), Change(SPLIT, max(created_at, split_at)))
        return cls(
            number=number,
            scheme=scheme,
            order_id=30_011_000_000 + order,
            order_number=order_number,
            posting_number=f"{order_number}-{1 + number - order}",
            parent=f"{order_number}-1" if is_part else "",
            created_at=created_at,
            is_paid_late=is_paid_late,
            contents=cls.generate(timeline, order).contents if is_part else contents,
            changes=changes,
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


def _is_split_later(timeline: Timeline, order: int) -> bool:
    """Whether the second posting of an order with two is what the first one was split into."""
    has_two = _order_number(timeline, order + 1) == order
    return has_two and timeline.simulation.random("ozon-split-later", order).random() < _SHARE_SPLIT_LATER


def _with_detours(random: Random, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Some postings are verified before they are packed, and some are not accepted by the sorting centre at first."""
    first, *others = changes
    if random.random() < _SHARE_VERIFIED:
        verified_at = first.changed_at + (others[0].changed_at - first.changed_at) * 0.75
        first, others = Change(VERIFICATION, first.changed_at), [Change(_PACKAGING, _second(verified_at)), *others]
    if random.random() < _SHARE_NOT_ACCEPTED and others and others[-1].status == "delivered":
        *others, delivering, delivered = others
        refused_at = delivering.changed_at - (delivering.changed_at - others[-1].changed_at) / 2
        others += [Change(NOT_ACCEPTED, _second(refused_at)), delivering, delivered]
    return (first, *others)


def _second(timestamp: datetime) -> datetime:
    return timestamp.replace(microsecond=0)


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
