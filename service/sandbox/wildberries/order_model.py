"""The simulated orders of Wildberries, indexed by the time of their last change."""

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

BACKLOG_SPAN: Final = timedelta(days=89)  # less than the retention, so that the whole backlog is kept on the first day
RETENTION: Final = timedelta(days=90)
NEVER: Final = 2**62
_MINUTE: Final = 60
_DAY: Final = 86_400
_SHARE_UNSETTLED: Final = 0.1
_SHARE_CANCELLED: Final = 0.08
_MULTIPLIER: Final = 2_654_435_761  # odd, so that different numbers below 2**32 stay different


@dataclass(frozen=True, slots=True)
class SimulatedOrder:
    """An order. Times are Unix seconds.

    Attributes:
        made_at: the field `date` of the report.
        listed_at: when the report first contains it.
        settled_at: its prices are 0 until then. Most orders are settled from the start.
        cancelled_at: `NEVER` for most.
    """

    number: int
    made_at: int
    listed_at: int
    settled_at: int
    cancelled_at: int

    @property
    def srid(self) -> str:
        scattered = self.number * _MULTIPLIER % 2**32
        return f"e{'bc'[self.number % 2]}.r{scattered:08x}.{self.number % 5}.0"

    def change_times(self) -> list[int]:
        """The times at which its row changes; the first is `listed_at`."""
        later = {self.settled_at, self.cancelled_at} - {NEVER, self.listed_at}
        return [self.listed_at, *sorted(later)]


class Change(NamedTuple):
    """A state of the row of an order.

    Attributes:
        changed_at: its `lastChangeDate`, by which changes are sorted.
        number: the number of the order.
        until: when the next state replaces it.
    """

    changed_at: int
    number: int
    until: int


class OrderIndex:
    """All orders, with an index by the time of the last change."""

    def __init__(self, environment: Environment) -> None:
        options = environment.options
        self._simulation = environment.simulation
        self._timeline = Timeline(environment.simulation, options.wb_orders, BACKLOG_SPAN, options.wb_orders_every)
        self._orders: list[SimulatedOrder] = []
        self._changes: list[Change] = []
        self._extend()  # at the start, when no client waits: a large backlog takes seconds

    def order(self, number: int) -> SimulatedOrder:
        return self._orders[number]

    def changed_since(self, since: float) -> Iterator[Change]:
        """The newest state of each order whose last change is not before `since` (Unix seconds)."""
        now = int(self._simulation.now().timestamp())
        self._extend()
        oldest = now - RETENTION.total_seconds()
        first = bisect_left(self._changes, since, key=_changed_at)
        for index in range(first, bisect_right(self._changes, now, key=_changed_at)):
            change = self._changes[index]
            if change.until > now and self._orders[change.number].made_at >= oldest:
                yield change

    def made_on(self, day: date) -> Iterator[Change]:
        """The newest state of each order that was made on a calendar day in Moscow."""
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=MOSCOW).timestamp())
        changes = self.changed_since(midnight)
        return (change for change in changes if 0 <= self._orders[change.number].made_at - midnight < _DAY)

    def _extend(self) -> None:
        """Add the orders made since the last call, with all their future changes."""
        known, count = len(self._orders), self._timeline.count()
        if known >= count:
            return
        self._orders.extend(self._make(number) for number in range(known, count))
        for order in self._orders[known:]:
            times = order.change_times()
            ends = [*times[1:], NEVER]
            self._changes.extend(Change(at, order.number, until) for at, until in zip(times, ends, strict=True))
        self._changes.sort()

    def _make(self, number: int) -> SimulatedOrder:
        random = self._simulation.random("wb-order", number)
        listed_at = math.ceil(self._timeline.created_at(number).timestamp())
        return SimulatedOrder(
            number=number,
            made_at=listed_at - random.randint(0, 90),
            listed_at=listed_at,
            settled_at=_later(random, listed_at, 60 * _MINUTE) if random.random() < _SHARE_UNSETTLED else listed_at,
            cancelled_at=_cancelled_at(random, listed_at) if random.random() < _SHARE_CANCELLED else NEVER,
        )


def _changed_at(change: Change) -> int:
    return change.changed_at


def _cancelled_at(random: Random, start: int) -> int:
    """Half of the cancellations come soon."""
    return _later(random, start, random.choice((20 * _MINUTE, 5 * _DAY)))


def _later(random: Random, start: int, max_delay: int) -> int:
    """A time after `start`, rounded up to a minute, so that several changes have the same time."""
    return math.ceil((start + random.randint(_MINUTE, max_delay)) / _MINUTE) * _MINUTE
