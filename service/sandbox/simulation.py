"""The world of the sandbox: what there is at a moment is a function of the seed and of the moment, and of nothing else.

What somebody did to it (an answer, a status, a message) is in the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random


def utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Simulation:
    """`epoch` is when it began to live: what lies before is its backlog. Frozen, nothing new happens in it."""

    seed: int
    epoch: datetime
    clock: Callable[[], datetime] = utcnow
    frozen_at: datetime | None = None

    def now(self) -> datetime:
        return self.frozen_at or self.clock()

    def freeze(self) -> None:
        self.frozen_at = self.now()

    def thaw(self) -> None:
        self.frozen_at = None

    def random(self, *key: object) -> Random:
        """The same numbers for the same key, in every process and whatever was asked before."""
        return Random(":".join(map(str, (self.seed, *key))))  # a world to play in


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the things of one kind come to be: `backlog` of them evenly over `span` before the epoch, then one each `period`."""

    world: Simulation
    backlog: int
    span: timedelta
    period: timedelta

    def count(self) -> int:
        """How many there are by now."""
        since = self.world.now() - self.world.epoch
        return self.backlog + max(0, since // self.period)

    def moment(self, number: int) -> datetime:
        """When the number-th, counted from 0, came to be, or will; whole milliseconds."""
        if number >= self.backlog:
            moment = self.world.epoch + (number - self.backlog + 1) * self.period
        else:
            moment = self.world.epoch - self.span * (self.backlog - number) / self.backlog
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
