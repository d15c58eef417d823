"""Cadences: when a job is due. The ticks of a cadence are the same in every process, and strictly increasing.

APScheduler finds local times on a clock without daylight saving time, and the time zone maps them to UTC. APScheduler's own
ticks are wrong around changes of the clock (3.11.3, a daily job in Europe/Berlin). 02:30 is due twice when the clock is put
back. A job at 00:30 is not due on the day after the clock was put forward.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger

MAX_COUNTED: Final = 10_000
MIN_INTERVAL: Final = timedelta(seconds=1)
MAX_INTERVAL: Final = timedelta(days=3660)
_FIELDS: Final = ("minute", "hour", "day", "month", "day_of_week")
_LEADING_ZEROS: Final = re.compile(r"(?<![0-9])0+(?=[0-9])")
_RANGE_OF_ONE: Final = re.compile(r"\b([a-z0-9]+)-\1\b")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RESOLUTION: Final = timedelta(microseconds=1)
_MAX_CHANGE_DISTANCE: Final = timedelta(hours=36)
"""A change of the clock affects ticks up to this far away: zones have skipped a whole day."""


class Cadence(Protocol):
    def after(self, moment: datetime) -> datetime:
        """The first tick later than `moment`."""
        ...

    def before(self, moment: datetime) -> datetime:
        """The last tick not later than `moment`."""
        ...

    def count_between(self, after: datetime, until: datetime) -> int:
        """The number of ticks later than `after` and not later than `until`. May stop counting at `MAX_COUNTED`."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """At a fixed interval, counted from the Unix epoch: every 15 minutes is :00, :15, :30 and :45.

    Raises:
        ValueError: the interval is shorter than a second or longer than `MAX_INTERVAL`.
    """

    interval: timedelta

    def __post_init__(self) -> None:
        if not MIN_INTERVAL <= self.interval <= MAX_INTERVAL:
            raise ValueError(f"{self.interval!r}: an interval is from one second to {MAX_INTERVAL.days} days.")

    def after(self, moment: datetime) -> datetime:
        return self.before(moment) + self.interval

    def before(self, moment: datetime) -> datetime:
        return _EPOCH + (moment - _EPOCH) // self.interval * self.interval

    def count_between(self, after: datetime, until: datetime) -> int:
        return max(0, (self.before(until) - self.before(after)) // self.interval)

    def __str__(self) -> str:
        minutes, rest = divmod(self.interval, timedelta(minutes=1))
        return f"every {self.interval.total_seconds():.15g} s" if rest else f"every {minutes} min"


@dataclass(frozen=True, slots=True)
class DailyAt:
    """Once a day, at a local time of a time zone.

    If the local time occurs twice, the first one counts. If the clock skips it, the tick is later by the size of the
    change, or earlier by it if later would be the next day.

    Raises:
        ValueError: there is no such time or no such zone.
    """

    hour: int
    minute: int
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _trigger(self._crontab)
        _zone(self.zone)

    @property
    def _crontab(self) -> str:
        return f"{self.minute} {self.hour} * * *"

    def after(self, moment: datetime) -> datetime:
        return _after(moment, self._crontab, self.zone, both=False)

    def before(self, moment: datetime) -> datetime:
        return _before(self, moment)

    def count_between(self, after: datetime, until: datetime) -> int:
        return _count_between(self, after, until)

    def __str__(self) -> str:
        return f"daily at {self.hour:02}:{self.minute:02} {self.zone}"


@dataclass(frozen=True, slots=True)
class Cron:
    """By a crontab of five fields, in the local time of a time zone.

    If a local time occurs twice, both are ticks if the field for minute or hour begins with `*`; otherwise only the first, as
    in cron. A skipped time is moved as in `DailyAt`. Unlike in cron, day of month and day of week must both match.

    Raises:
        ValueError: the crontab is invalid, its day of the week is a number, or there is no such zone.
    """

    crontab: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        _trigger(self.crontab)
        _zone(self.zone)

    def after(self, moment: datetime) -> datetime:
        both = any(field.startswith("*") for field in self.crontab.split()[:2])
        return _after(moment, self.crontab, self.zone, both=both)

    def before(self, moment: datetime) -> datetime:
        return _before(self, moment)

    def count_between(self, after: datetime, until: datetime) -> int:
        return _count_between(self, after, until)

    def __str__(self) -> str:
        return f"at {' '.join(self.crontab.split())} {self.zone}"


@cache
def _zone(name: str) -> tzinfo:
    """Does not look up UTC, which works without an installed time zone database."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"There is no time zone {name!r}.") from error


@cache
def _trigger(crontab: str) -> CronTrigger:
    """Gives the local times of a crontab, without changes of the clock, as datetimes in UTC."""
    trigger = CronTrigger.from_crontab(crontab, UTC)
    _check_fields(crontab, trigger)
    if any(character.isdigit() for character in crontab.rsplit(maxsplit=1)[-1]):
        raise ValueError(f"{crontab!r}: a day of the week is mon or tue; its number has two meanings.")
    if trigger.get_next_fire_time(None, _EPOCH) is None:
        raise ValueError(f"{crontab!r}: there is no such day.")
    return trigger


def _check_fields(crontab: str, trigger: CronTrigger) -> None:
    """APScheduler ignores what follows a word that it knows: `mon#2` would be every Monday, `lastW` the last day."""
    understood = {field.name: str(field) for field in trigger.fields}
    for name, given in zip(_FIELDS, crontab.split(), strict=True):
        if _normalized(given) != _normalized(understood[name]):
            raise ValueError(f"{crontab!r}: {given!r} is not understood.")


def _normalized(field: str) -> str:
    """In lower case, without leading zeros, and with one number or word for a range of one."""
    return _RANGE_OF_ONE.sub(r"\1", _LEADING_ZEROS.sub("", field.lower()))


def _local_times(crontab: str, after: datetime) -> Iterator[datetime]:
    while True:
        after = _trigger(crontab).get_next_fire_time(None, after + _RESOLUTION)
        yield after


def _after(moment: datetime, crontab: str, zone: str, *, both: bool) -> datetime:
    """Near a change of the clock, an earlier local time may be a later tick: check all local times that may be the first."""
    time_zone, first = _zone(zone), None
    for local_time in _local_times(crontab, moment.astimezone(UTC) + min(_offsets(moment, time_zone))):
        for tick in _to_utc(local_time, time_zone, both=both):
            if tick > moment and (first is None or tick < first):
                first = tick
        if first is not None and local_time >= first + max(_offsets(first, time_zone)):
            return first
    raise AssertionError("a clock does not end")


def _offsets(moment: datetime, zone: tzinfo) -> list[timedelta]:
    around = (moment - _MAX_CHANGE_DISTANCE, moment, moment + _MAX_CHANGE_DISTANCE)
    return [each.astimezone(zone).utcoffset() or timedelta(0) for each in around]


def _to_utc(local_time: datetime, zone: tzinfo, *, both: bool) -> list[datetime]:
    """The ticks of a local time: one; two if it occurs twice and `both` count; the replacement of a skipped one."""
    earlier, later = sorted(local_time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier == later:
        return [earlier]
    if earlier.astimezone(zone).replace(tzinfo=None) == local_time.replace(tzinfo=None):
        return [earlier, later] if both else [earlier]
    return [later if later.astimezone(zone).date() == local_time.date() else earlier]


def _before(cadence: Cadence, moment: datetime) -> datetime:
    distance = timedelta(minutes=1)
    while (tick := cadence.after(moment - distance)) > moment:
        distance *= 2
    return _last_tick(cadence, tick, moment)


def _last_tick(cadence: Cadence, tick: datetime, moment: datetime) -> datetime:
    """Search between a tick and `moment` by halves, in some 30 steps however many ticks there are."""
    no_tick_after = moment
    while (following := cadence.after(tick)) <= no_tick_after:
        middle = following + (no_tick_after - following) / 2
        if (later := cadence.after(middle)) <= no_tick_after:
            tick = later
        else:
            tick, no_tick_after = following, middle
    return tick


def _count_between(cadence: Cadence, after: datetime, until: datetime) -> int:
    number = 0
    while number < MAX_COUNTED and (after := cadence.after(after)) <= until:
        number += 1
    return number
