"""Daily totals of a job's runs by UTC day, and the arithmetic of days and time ranges."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class DailyTotals:
    """Counts of ended runs by outcome. `timed` is how many of them have a duration, and `seconds` the sum of these."""

    success: int = 0
    error: int = 0
    timeout: int = 0
    cancelled: int = 0
    lost: int = 0
    skipped: int = 0
    timed: int = 0
    seconds: float = 0.0
    last_success: datetime | None = None

    @property
    def failed(self) -> int:
        return self.error + self.timeout + self.cancelled + self.lost

    @property
    def judged(self) -> int:
        """The runs that a success rate counts."""
        return self.success + self.failed

    @property
    def ended(self) -> int:
        return self.judged + self.skipped

    def merge(self, other: "DailyTotals") -> None:
        """Add other totals to these."""
        self.success += other.success
        self.error += other.error
        self.timeout += other.timeout
        self.cancelled += other.cancelled
        self.lost += other.lost
        self.skipped += other.skipped
        self.timed += other.timed
        self.seconds += other.seconds
        if other.last_success is not None and (self.last_success is None or other.last_success > self.last_success):
            self.last_success = other.last_success


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open range: `since` is included, `until` is not; None means unbounded."""

    since: datetime | None
    until: datetime | None


def day_of(moment: datetime) -> date:
    """The UTC day of a timestamp."""
    return moment.astimezone(UTC).date()


def midnight(day: date) -> datetime:
    """The start of a UTC day."""
    return datetime.combine(day, time(), UTC)


def uncovered_ranges(days: Sequence[date], since: datetime | None) -> list[TimeRange]:
    """The time ranges since `since` that none of these days covers. The days are sorted."""
    uncovered, start = [], since
    for day in days:
        if start is None or start < midnight(day):
            uncovered.append(TimeRange(start, midnight(day)))
        start = midnight(day + DAY)
    return [*uncovered, TimeRange(start, None)]


def missing_days(days: Iterable[date], first: date, last: date) -> list[date]:
    """The days from `first` to `last`, inclusive, that are not among these."""
    there = set(days)
    return [day for number in range((last - first).days + 1) if (day := first + number * DAY) not in there]
