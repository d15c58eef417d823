"""The simulated data: at any time a function of the seed and the time alone.

Changes through the APIs (an answer, a status, a message) are in the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random


def utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Simulation:
    """The clock and the random numbers of the simulated data.

    Attributes:
        seed: the source of all random numbers.
        epoch: when the simulation started. Data before it is the backlog.
        clock: the current time.
        frozen_at: the time at which it was frozen; None while it runs.
    """

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
        """A generator that depends on the seed and the key alone: the same numbers in every process."""
        return Random(":".join(map(str, (self.seed, *key))))  # simulated data, no secrets


@dataclass(frozen=True, slots=True)
class Timeline:
    """The creation times of the objects of one kind.

    `backlog` objects are spread evenly over `span` before the epoch; afterwards there is one each `period`.
    """

    simulation: Simulation
    backlog: int
    span: timedelta
    period: timedelta

    def count(self) -> int:
        """The number of objects that exist now."""
        since = self.simulation.now() - self.simulation.epoch
        return self.backlog + max(0, since // self.period)

    def created_at(self, number: int) -> datetime:
        """The creation time of an object, in whole milliseconds; it may be in the future. Numbers count from 0."""
        if number >= self.backlog:
            created_at = self.simulation.epoch + (number - self.backlog + 1) * self.period
        else:
            created_at = self.simulation.epoch - self.span * (self.backlog - number) / self.backlog
        return created_at.replace(microsecond=created_at.microsecond // 1000 * 1000)
