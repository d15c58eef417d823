"""Judging: which ticks of a job came to nothing, and whether somebody was there. Values in, a verdict out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from service.scheduler.cadence import Cadence
from service.scheduler.job import Job

SETTLE_TIME: Final = timedelta(seconds=15)
"""For as long after a break nothing is judged: runs are recorded a little late, and others who are there have said so by then."""
NEWEST_RUNS: Final = 200
MAX_TICKS: Final = 1000
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the ticks of a job are accounted for. `back_at`: when somebody was there again after nobody was."""

    job_name: str
    cadence: str
    watched_until: datetime
    seen_at: datetime
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Uptime:
    """Since when this process has looked without a break; `fresh` if it has since it began."""

    since: datetime
    fresh: bool

    def is_settled(self, now: datetime) -> bool:
        return now - self.since >= SETTLE_TIME


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """`ended_at` is None while it goes on; so it is when its process was killed and nobody has noticed yet."""

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
    """What is to be kept of a job. Ticks are `missed` if somebody was there to begin them, and else fell into a `downtime`."""

    watched_until: datetime
    back_at: datetime | None = None
    missed: Ticks | None = None
    downtime: Ticks | None = None


class Runs:
    """The newest runs of a job, newest first. What is older than the oldest of as many as are read is not known."""

    def __init__(self, job: Job, runs: Sequence[ScheduledRun]) -> None:
        self._job = job
        self._runs = runs
        self._known_from = min(run.started_at for run in runs) if len(runs) >= NEWEST_RUNS else None
        self.begun = frozenset(run.scheduled_for for run in runs if run.scheduled_for is not None)

    def answer(self, tick: datetime, *, alive: bool = True) -> bool:
        """Its run began, or it was passed over since another one went on. What is not known is no alarm.

        Unless those that seem to go on are `alive`, they ended with the process that they were in.
        """
        if tick in self.begun or (self._known_from is not None and tick < self._known_from):
            return True
        return not self._job.overlaps and any(self._goes_on(run, tick, alive=alive) for run in self._runs)

    def _goes_on(self, run: ScheduledRun, tick: datetime, *, alive: bool) -> bool:
        """A run may begin a little later than the tick whose turn it takes, but not if a later tick asked for it."""
        is_later = run.scheduled_for is not None and run.scheduled_for > tick
        begins_by = tick if is_later else tick + self._job.start_grace
        ends_later = alive if run.ended_at is None else run.ended_at >= tick
        return ends_later and run.started_at < begins_by


def has_due(job: Job, watched: Watermark, now: datetime) -> bool:
    """A tick's grace is over. That of one which is run late, since nobody was there, is counted from when somebody was."""
    if watched.back_at is not None and now < watched.back_at + job.start_grace:
        return False
    return job.cadence.after(watched.watched_until) <= now - job.start_grace


def missed_ticks(job: Job, watched: Watermark, runs: Runs, now: datetime) -> Evaluation:
    """Of the ticks that are due; somebody was there all the time."""
    ticks = _ticks(job.cadence, watched.watched_until, now - job.start_grace)
    until = ticks[-1] if ticks else watched.watched_until
    return Evaluation(until, watched.back_at, missed=_together(tick for tick in ticks if not runs.answer(tick)))


def downtime_ticks(job: Job, watched: Watermark, runs: Runs, presence: Uptime) -> Evaluation:
    """Of the ticks that came until somebody was there again; the last one is open yet if it is to be run late."""
    until = presence.since
    if presence.fresh and job.catches_up:
        last = job.cadence.before(until)
        if last > watched.watched_until and not runs.answer(last, alive=False):
            until = last - _INSTANT
    seen = min(watched.seen_at, until)
    there = _together(tick for tick in _ticks(job.cadence, watched.watched_until, seen) if not runs.answer(tick))
    fell = _joined(there, _unattended(job, seen, until, runs, alive=not presence.fresh))
    return Evaluation(until, presence.since, downtime=fell)


def _unattended(job: Job, after: datetime, until: datetime, runs: Runs, *, alive: bool) -> Ticks | None:
    """Listed, or, of a month that has very many, counted."""
    if job.cadence.count(after, until) > MAX_TICKS:
        return _counted(job.cadence, after, until, runs.begun)
    return _together(tick for tick in _ticks(job.cadence, after, until) if not runs.answer(tick, alive=alive))


def _counted(cadence: Cadence, after: datetime, until: datetime, begun: Collection[datetime]) -> Ticks:
    first, last = cadence.after(after), cadence.before(until)
    while first in begun:
        first = cadence.after(first)
    while last in begun:
        last = cadence.before(last - _INSTANT)
    return Ticks(first, last, cadence.count(after, until) - sum(after < tick <= until for tick in begun))


def _joined(earlier: Ticks | None, later: Ticks | None) -> Ticks | None:
    if earlier is None or later is None:
        return earlier or later
    return Ticks(earlier.first, later.last, earlier.number + later.number)


def _ticks(cadence: Cadence, after: datetime, until: datetime) -> list[datetime]:
    return list(islice(takewhile(lambda tick: tick <= until, _following(cadence, after)), MAX_TICKS))


def _following(cadence: Cadence, tick: datetime) -> Iterator[datetime]:
    while True:
        tick = cadence.after(tick)
        yield tick


def _together(ticks: Iterable[datetime]) -> Ticks | None:
    each = list(ticks)
    return Ticks(each[0], each[-1], len(each)) if each else None
