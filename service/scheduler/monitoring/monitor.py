"""Watching: each look at the schedule finds the ticks that came to nothing, and the runs that go on for too long."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.engine import Engine

from service.names import SCHEDULER_COMPONENT
from service.scheduler.job import Job, Schedule
from service.scheduler.monitoring.evaluation import Uptime, Watermark, downtime_ticks, has_due, missed_ticks
from service.scheduler.monitoring.ledger import TickLedger
from service.scheduler.monitoring.notices import MissedNotice, format_utc
from service.scheduler.monitoring.overdue import mark_overdue
from telemetry.alerts import AlertLevel, get_alert_service
from telemetry.database import transaction
from telemetry.semconv import DATABASE_COMPONENT

CHECK_INTERVAL: Final = timedelta(seconds=5)
"""How often somebody is to look."""
GAP: Final = 3 * CHECK_INTERVAL
"""A look that comes later than this after the one before is the first one of somebody who was away."""
MAX_ABSENCE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Counting:
    """What is told of each job: how many ticks it missed; that a run of it is overdue."""

    missed: Callable[[str, int], None] = lambda _job_name, _ticks: None
    overdue: Callable[[str], None] = lambda _job_name: None


class RunMonitor:
    """Accounts once for each tick of the scheduled jobs, however many processes look.

    A time in which nobody looked is one in which nobody ran the schedule. It is noticed by the first who has been back for
    `SETTLED` while nobody else was there: until then it changes nothing, so that a crash in between loses nothing.
    """

    def __init__(self, schedule: Schedule, engine: Engine, counting: Counting) -> None:
        # All processes change the rows in the same order, so that no two wait for each other.
        self._jobs = sorted(schedule.scheduled(), key=lambda job: job.name)
        self._engine = engine
        self._counting = counting
        self._presence: Uptime | None = None
        self._looked: datetime | None = None

    def look(self, now: datetime) -> None:
        """What it raises is the database's; the look after that is one after a break."""
        presence, self._presence = self._present(now), None
        self._tell(self._account(_Pass(now, presence)), presence)
        self._looked = now
        if presence.is_settled(now):
            mark_overdue(self._engine, now, self._counting.overdue)
        self._presence = presence

    def _tell(self, noticed: MissedNotice, presence: Uptime) -> None:
        for job, ticks in noticed.missed:
            self._counting.missed(job.name, ticks.number)
        noticed.tell(presence.since)

    def _present(self, now: datetime) -> Uptime:
        if self._looked is None:
            return self._presence or Uptime(now, fresh=True)
        late = now - self._looked > GAP
        return Uptime(now, fresh=False) if self._presence is None or late else self._presence

    def _account(self, look: "_Pass") -> MissedNotice:
        with transaction(self._engine) as session:
            jobs = TickLedger(session)
            if self._looked is None:
                jobs.forget_others([job.name for job in self._jobs])
            watched = jobs.all()
            for job in self._jobs:
                look.examine(job, watched.get(job.name), jobs)
        return look.noticed


@dataclass(frozen=True, slots=True)
class _Pass:
    now: datetime
    presence: Uptime
    noticed: MissedNotice = field(default_factory=MissedNotice)

    def examine(self, job: Job, watched: Watermark | None, jobs: TickLedger) -> None:
        if watched is None:
            jobs.begin(job, self.now)
        elif watched.cadence != str(job.cadence):
            jobs.begin_anew(watched, job, self.now)
        elif watched.seen_at < self.presence.since:
            self._after_a_gap(job, watched, jobs)
        elif self.presence.is_settled(self.now) and has_due(job, watched, self.now):
            self._judge(job, watched, jobs)
        else:
            jobs.renew(watched, self.now)

    def _after_a_gap(self, job: Job, watched: Watermark, jobs: TickLedger) -> None:
        if not self.presence.is_settled(self.now):
            return
        verdict = downtime_ticks(job, watched, jobs.runs(job), self.presence)
        if jobs.keep(watched, verdict, self.now) and verdict.downtime is not None:
            self.noticed.downtime.append((job, verdict.downtime))
            self.noticed.last_seen.append(watched.seen_at)

    def _judge(self, job: Job, watched: Watermark, jobs: TickLedger) -> None:
        verdict = missed_ticks(job, watched, jobs.runs(job), self.now)
        if jobs.keep(watched, verdict, self.now) and verdict.missed is not None:
            self.noticed.missed.append((job, verdict.missed))


class SchedulerAbsence:
    """In a process that does not run the schedule: hears whether anybody does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._since: datetime | None = None
        self._said: datetime | None = None

    def listen(self, now: datetime) -> None:
        """Say once of a silence that is longer than `MAX_ABSENCE`, unless nobody has ever been there.

        It is counted from when this process began at the earliest: who begins with it needs a while to be heard.
        """
        began = self._since = self._since or now
        with transaction(self._engine) as session:
            seen = TickLedger(session).last_seen()
        if seen is None or now - max(seen, began) <= MAX_ABSENCE or seen == self._said:
            return
        self._said = seen
        get_alert_service().report(
            f"Nobody has run the schedule since {format_utc(seen)}.",
            AlertLevel.WARNING,
            SCHEDULER_COMPONENT,
            follows=DATABASE_COMPONENT,
        )
