"""Cadence: when a job is due. Ticks are the same in every process, whenever it was started, and strictly one after the other.

APScheduler finds the times on a clock that never changes, and the zone says which moments those are. APScheduler's own moments
are not right in the two nights (3.11.3, a daily job in Europe/Berlin): 02:30 comes twice when the clock is put back, and at
00:30 the day after it was put forward has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

MAX_COUNTED: Final = 10_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT: Final = timedelta(microseconds=1)
_AROUND: Final = timedelta(hours=36)
"""How far from a moment a change of the clock can matter to it: zones have left out a whole day."""


class Cadence(Protocol):
    def after(self, moment: datetime) -> datetime:
        """The first tick later than the moment."""
        ...

    def before(self, moment: datetime) -> datetime:
        """The last tick that is not later than the moment."""
        ...

    def count_between(self, after: datetime, until: datetime) -> int:
        """The number of ticks later than `after` and not later than `until`. May stop counting at `MAX_COUNTED`."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """Every so often, counted from the epoch: every 15 minutes is :00, :15, :30 and :45."""

    interval: timedelta

    def after(self, moment: datetime) -> datetime:
        trigger = IntervalTrigger(seconds=int(self.interval.total_seconds()), start_date=_EPOCH, timezone=UTC)
        later: datetime = trigger.get_next_fire_time(None, moment + _INSTANT)
        return later.astimezone(UTC)

    def before(self, moment: datetime) -> datetime:
        return self.after(moment) - self.interval

    def count_between(self, after: datetime, until: datetime) -> int:
        return max(0, (self.before(until) - self.before(after)) // self.interval)

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.interval.total_seconds()), 60)
        return f"every {minutes} min" if not seconds else f"every {minutes * 60 + seconds} s"


@dataclass(frozen=True, slots=True)
class DailyAt:
    """Once on each day of a zone, at an hour and minute of its clock.

    Of a time that comes twice it is the first. One that is left out is moved by as much as the clock is put forward: to later,
    or, where that is the next day, to earlier.

    Raises:
        ValueError: there is no such time or no such zone.
    """

    hour: int
    minute: int
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _clock(self._crontab)
        _zone(self.zone)

    @property
    def _crontab(self) -> str:
        return f"{self.minute} {self.hour} * * *"

    def after(self, moment: datetime) -> datetime:
        return _after(moment, self._crontab, self.zone, both=False)

    def before(self, moment: datetime) -> datetime:
        return _before(self, moment)

    def count_between(self, after: datetime, until: datetime) -> int:
        return _count(self, after, until)

    def __str__(self) -> str:
        return f"daily at {self.hour:02}:{self.minute:02} {self.zone}"


@dataclass(frozen=True, slots=True)
class Cron:
    """By the five fields of a crontab, on the clock of a zone.

    A time that comes twice is a tick both times where minute or hour begin with `*`, since that means again and again, and
    else the first time, as with cron. One that is left out is moved as by `DailyAt`. Unlike with cron, a day of the month and
    a day of the week have both to be so.

    Raises:
        ValueError: the fields are not five that make sense, the day of the week is a number, or there is no such zone.
    """

    crontab: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _clock(self.crontab)
        _zone(self.zone)

    def after(self, moment: datetime) -> datetime:
        both = any(field.startswith("*") for field in self.crontab.split()[:2])
        return _after(moment, self.crontab, self.zone, both=both)

    def before(self, moment: datetime) -> datetime:
        return _before(self, moment)

    def count_between(self, after: datetime, until: datetime) -> int:
        return _count(self, after, until)

    def __str__(self) -> str:
        return f"at {' '.join(self.crontab.split())} {self.zone}"


@cache
def _zone(name: str) -> tzinfo:
    """UTC is there where no zones are installed."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"There is no time zone {name!r}.") from error


@cache
def _clock(crontab: str) -> CronTrigger:
    """The times on a clock that is never put forward or back, written as moments of UTC."""
    trigger = CronTrigger.from_crontab(crontab, UTC)
    if any(character.isdigit() for character in crontab.rsplit(maxsplit=1)[-1]):
        raise ValueError(f"{crontab!r}: a day of the week is mon or tue; its number has two meanings.")
    if trigger.get_next_fire_time(None, _EPOCH) is None:
        raise ValueError(f"{crontab!r}: there is no such day.")
    return trigger


def _times(crontab: str, after: datetime) -> Iterator[datetime]:
    while True:
        after = _clock(crontab).get_next_fire_time(None, after + _INSTANT)
        yield after


def _after(moment: datetime, crontab: str, zone: str, *, both: bool) -> datetime:
    """Near a change of the clock, an earlier time may be a later moment: all that may be the first one are looked at."""
    where, found = _zone(zone), None
    for time in _times(crontab, moment.astimezone(UTC) + min(_offsets(moment, where))):
        for tick in _moments(time, where, both=both):
            if tick > moment and (found is None or tick < found):
                found = tick
        if found is not None and time >= found + max(_offsets(found, where)):
            return found
    raise AssertionError("a clock does not end")


def _offsets(moment: datetime, zone: tzinfo) -> list[timedelta]:
    around = (moment - _AROUND, moment, moment + _AROUND)
    return [each.astimezone(zone).utcoffset() or timedelta(0) for each in around]


def _moments(time: datetime, zone: tzinfo, *, both: bool) -> list[datetime]:
    """The moments at which a clock of the zone shows the time: one, two, or, in place of none, the one nearby that is used."""
    first, second = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    earlier, later = sorted((first.astimezone(UTC), second.astimezone(UTC)))
    if earlier == later:
        return [earlier]
    if earlier.astimezone(zone).replace(tzinfo=None) == time.replace(tzinfo=None):
        return [earlier, later] if both else [earlier]
    return [later if later.astimezone(zone).date() == time.date() else earlier]


def _before(cadence: Cadence, moment: datetime) -> datetime:
    reach = timedelta(minutes=1)
    while (tick := cadence.after(moment - reach)) > moment:
        reach *= 2
    while (following := cadence.after(tick)) <= moment:
        tick = following
    return tick


def _count(cadence: Cadence, after: datetime, until: datetime) -> int:
    counted = 0
    while counted < MAX_COUNTED and (after := cadence.after(after)) <= until:
        counted += 1
    return counted
