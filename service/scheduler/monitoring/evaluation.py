"""Evaluation of a job's ticks: which were missed, and which fell into a scheduler downtime. Pure functions, no I/O."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from service.scheduler.cadence import Cadence
from service.scheduler.job import Job

SETTLE_TIME: Final = timedelta(seconds=15)
"""How long after a gap nothing is evaluated: runs are recorded late, and other processes have reported by then."""
MAX_RUNS: Final = 200
MAX_TICKS: Final = 1000
_RESOLUTION: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the ticks of a job have been evaluated.

    Attributes:
        watched_until: the ticks up to this time are evaluated.
        seen_at: the last heartbeat of any scheduler process.
        back_at: when a scheduler process was running again after the last downtime.
    """

    job_name: str
    cadence: str
    watched_until: datetime
    seen_at: datetime
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Uptime:
    """Since when this process checks without a gap. `since_start`: there was no gap since it started."""

    since: datetime
    since_start: bool

    def is_settled(self, now: datetime) -> bool:
        return now - self.since >= SETTLE_TIME


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A recorded run. `ended_at` is None while it is active, and for a run of a killed process that was not noticed yet."""

    scheduled_for: datetime | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ticks:
    first: datetime
    last: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result for one job: its new watermark, and the ticks without a run.

    Attributes:
        missed: ticks that a running scheduler did not start.
        downtime: ticks that came while no scheduler was running.
    """

    watched_until: datetime
    back_at: datetime | None = None
    missed: Ticks | None = None
    downtime: Ticks | None = None


class Runs:
    """The newest runs of a job, newest first, at most `MAX_RUNS`. Nothing is known about the time before the oldest of them."""

    def __init__(self, job: Job, runs: Sequence[ScheduledRun]) -> None:
        self._job = job
        self._runs = runs
        self._known_from = min(run.started_at for run in runs) if len(runs) >= MAX_RUNS else None
        self.started_ticks = frozenset(run.scheduled_for for run in runs if run.scheduled_for is not None)

    def covers(self, tick: datetime, *, unfinished_are_active: bool = True) -> bool:
        """Whether a run started for the tick, or the tick was skipped because another run was active.

        A tick from before the known runs counts as covered.

        Args:
            tick: the tick.
            unfinished_are_active: whether a run without an end is active, or else ended with its process.
        """
        if tick in self.started_ticks or (self._known_from is not None and tick < self._known_from):
            return True
        return not self._job.overlaps and any(
            self._is_active_at(run, tick, unfinished_are_active=unfinished_are_active) for run in self._runs
        )

    def _is_active_at(self, run: ScheduledRun, tick: datetime, *, unfinished_are_active: bool) -> bool:
        """A run that makes the tick skip may start within the tick's grace, unless it is the run of a later tick."""
        is_later = run.scheduled_for is not None and run.scheduled_for > tick
        starts_by = tick if is_later else tick + self._job.start_grace
        ends_later = unfinished_are_active if run.ended_at is None else run.ended_at >= tick
        return ends_later and run.started_at < starts_by


def has_due_ticks(job: Job, watermark: Watermark, now: datetime) -> bool:
    """Whether the grace of a tick is over. After a downtime, the grace of a catch-up run starts at the end of the downtime."""
    if watermark.back_at is not None and now < watermark.back_at + job.start_grace:
        return False
    return job.cadence.after(watermark.watched_until) <= now - job.start_grace


def missed_ticks(job: Job, watermark: Watermark, runs: Runs, now: datetime) -> Evaluation:
    """Evaluate the due ticks of a job, if a scheduler has been running since the watermark."""
    ticks = _ticks(job.cadence, watermark.watched_until, now - job.start_grace)
    until = ticks[-1] if ticks else watermark.watched_until
    return Evaluation(until, watermark.back_at, missed=_summarize(tick for tick in ticks if not runs.covers(tick)))


def downtime_ticks(job: Job, watermark: Watermark, runs: Runs, uptime: Uptime) -> Evaluation:
    """Evaluate the ticks of a job up to the end of a downtime. The last tick stays open if a catch-up run is to come."""
    until = uptime.since
    if uptime.since_start and job.catches_up:
        last = job.cadence.before(until)
        if last > watermark.watched_until and not runs.covers(last, unfinished_are_active=False):
            until = last - _RESOLUTION
    seen = min(watermark.seen_at, until)
    attended = _summarize(tick for tick in _ticks(job.cadence, watermark.watched_until, seen) if not runs.covers(tick))
    # Ticks up to the watermark are evaluated: a job that was paused in the downtime is watched from when it was resumed.
    since = max(seen, watermark.watched_until)
    unattended = _unattended(job, since, until, runs, unfinished_are_active=not uptime.since_start)
    return Evaluation(max(until, watermark.watched_until), uptime.since, downtime=_merge(attended, unattended))


def _unattended(job: Job, after: datetime, until: datetime, runs: Runs, *, unfinished_are_active: bool) -> Ticks | None:
    """Check each tick; if there are more than `MAX_TICKS`, only count them."""
    if job.cadence.count_between(after, until) > MAX_TICKS:
        return _count_ticks(job.cadence, after, until, runs.started_ticks)
    ticks = _ticks(job.cadence, after, until)
    return _summarize(tick for tick in ticks if not runs.covers(tick, unfinished_are_active=unfinished_are_active))


def _count_ticks(cadence: Cadence, after: datetime, until: datetime, started: Collection[datetime]) -> Ticks:
    first, last = cadence.after(after), cadence.before(until)
    while first in started:
        first = cadence.after(first)
    while last in started:
        last = cadence.before(last - _RESOLUTION)
    return Ticks(first, last, cadence.count_between(after, until) - sum(after < tick <= until for tick in started))


def _merge(earlier: Ticks | None, later: Ticks | None) -> Ticks | None:
    if earlier is None or later is None:
        return earlier or later
    return Ticks(earlier.first, later.last, earlier.number + later.number)


def _ticks(cadence: Cadence, after: datetime, until: datetime) -> list[datetime]:
    return list(islice(takewhile(lambda tick: tick <= until, _ticks_after(cadence, after)), MAX_TICKS))


def _ticks_after(cadence: Cadence, tick: datetime) -> Iterator[datetime]:
    while True:
        tick = cadence.after(tick)
        yield tick


def _summarize(ticks: Iterable[datetime]) -> Ticks | None:
    each = list(ticks)
    return Ticks(each[0], each[-1], len(each)) if each else None
