"""Which orders Wildberries has, and when each of them changes: the index that pages of changes are cut from."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from service.sandbox.fake_service import Environment
from service.sandbox.simulation import Timeline
from service.sandbox.wildberries.gateway import MOSCOW

SPAN: Final = timedelta(days=89)  # none of the backlog is forgotten on the first day
RETENTION: Final = timedelta(days=90)
NEVER: Final = 2**62
_MINUTE: Final = 60
_DAY: Final = 86_400
_FRESH: Final = 0.1
_CANCELLED: Final = 0.08
_SCATTER: Final = 2_654_435_761  # odd: of two numbers below 2**32, each is scattered to another place


@dataclass(frozen=True, slots=True)
class Order:
    """Moments are Unix seconds.

    Attributes:
        made_at: its `date`; it is in the report from `listed_at`.
        settled_at: until then its prices are 0. Most are settled from the start.
        cancelled_at: `NEVER` for most.
    """

    number: int
    made_at: int
    listed_at: int
    settled_at: int
    cancelled_at: int

    @property
    def srid(self) -> str:
        scattered = self.number * _SCATTER % 2**32
        return f"e{'bc'[self.number % 2]}.r{scattered:08x}.{self.number % 5}.0"

    def changes(self) -> list[int]:
        """The moments at which its row changes, the first of which is when it comes to be."""
        later = {self.settled_at, self.cancelled_at} - {NEVER, self.listed_at}
        return [self.listed_at, *sorted(later)]


class Change(NamedTuple):
    """A state of an order's row, and until when it is the newest. They are sorted by `at`, their `lastChangeDate`."""

    at: int
    number: int
    until: int


class Orders:
    """All orders, found by when they last changed."""

    def __init__(self, environment: Environment) -> None:
        options = environment.options
        self._simulation = environment.simulation
        self._timeline = Timeline(environment.simulation, options.wb_orders, SPAN, options.wb_orders_every)
        self._orders: list[Order] = []
        self._changes: list[Change] = []
        self._extend()  # here, where nobody waits for an answer meanwhile: a large backlog takes seconds

    def order(self, number: int) -> Order:
        return self._orders[number]

    def changed_since(self, since: float) -> Iterator[Change]:
        """The newest state of each order that last changed at `since` or later, by then."""
        now = int(self._simulation.now().timestamp())
        self._extend()
        kept_since = now - RETENTION.total_seconds()
        first = bisect_left(self._changes, since, key=_at)
        for place in range(first, bisect_right(self._changes, now, key=_at)):
            change = self._changes[place]
            if change.until > now and self._orders[change.number].made_at >= kept_since:
                yield change

    def made_on(self, day: date) -> Iterator[Change]:
        """The newest state of each order of a calendar day in Moscow."""
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=MOSCOW).timestamp())
        changes = self.changed_since(midnight)
        return (change for change in changes if 0 <= self._orders[change.number].made_at - midnight < _DAY)

    def _extend(self) -> None:
        """The orders that have been made since the last call; all that will happen to them is known at once."""
        known, count = len(self._orders), self._timeline.count()
        if known >= count:
            return
        self._orders.extend(self._make(number) for number in range(known, count))
        for order in self._orders[known:]:
            moments = order.changes()
            ends = [*moments[1:], NEVER]
            self._changes.extend(Change(at, order.number, until) for at, until in zip(moments, ends, strict=True))
        self._changes.sort()

    def _make(self, number: int) -> Order:
        random = self._simulation.random("wb-order", number)
        listed_at = math.ceil(self._timeline.created_at(number).timestamp())
        return Order(
            number=number,
            made_at=listed_at - random.randint(0, 90),
            listed_at=listed_at,
            settled_at=_later(random, listed_at, 60 * _MINUTE) if random.random() < _FRESH else listed_at,
            cancelled_at=_cancelled_at(random, listed_at) if random.random() < _CANCELLED else NEVER,
        )


def _at(change: Change) -> int:
    return change.at


def _cancelled_at(random: Random, moment: int) -> int:
    """Half of those who think better of it do so soon."""
    return _later(random, moment, random.choice((20 * _MINUTE, 5 * _DAY)))


def _later(random: Random, moment: int, longest: int) -> int:
    """Changes are written down once a minute, several at one moment."""
    return math.ceil((moment + random.randint(_MINUTE, longest)) / _MINUTE) * _MINUTE
