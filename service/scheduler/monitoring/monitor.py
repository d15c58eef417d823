"""Checks the schedule every few seconds: alerts about missed ticks, scheduler downtimes and overdue runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from service.database.clock import (
    CLOCK_TOLERANCE,
    Clock,
    JumpDetector,
    elapsed_seconds,
    is_of_another_clock,
)
from service.names import SCHEDULER_COMPONENT, AlertSection
from service.scheduler.job import Job, Schedule
from service.scheduler.monitoring.evaluation import Uptime, Watermark, downtime_ticks, has_due_ticks, missed_ticks
from service.scheduler.monitoring.ledger import TickLedger
from service.scheduler.monitoring.notices import MissedNotice, format_utc, report_clock_set
from service.scheduler.monitoring.overdue import mark_overdue
from service.scheduler.pauses import read_pauses
from telemetry.alerts import AlertLevel, get_alert_service
from telemetry.database import transaction
from telemetry.semconv import DATABASE_COMPONENT

CHECK_INTERVAL: Final = timedelta(seconds=5)
GAP: Final = 3 * CHECK_INTERVAL
"""When the time between two checks is longer, this process was not running in between."""
MAX_ABSENCE: Final = timedelta(seconds=60)


class RunMonitor:
    """Evaluates each tick of the scheduled jobs exactly once, however many processes check.

    While no process checks, no process runs the schedule either: that is a downtime. A process evaluates it as soon as it
    has checked for `SETTLE_TIME` without a gap, unless another process was running all the time. Until then it changes
    nothing, so a crash loses nothing.

    After the clock was set by more than a minute, it starts anew from the new time: no tick in between counts as missed.
    Nor does a tick of a job that a person has paused.
    """

    def __init__(
        self,
        schedule: Schedule,
        engine: Engine,
        on_missed: Callable[[str, int], None],
        on_overdue: Callable[[str], None],
        jumps: JumpDetector | None = None,
    ) -> None:
        """`on_missed` is called with a job's name and its number of missed ticks, `on_overdue` with the name for each run.

        With a memory, `jumps` notices a clock that was set while no process ran as well.
        """
        # All processes update the rows in the same order, so no two of them can deadlock.
        self._jobs = sorted(schedule.scheduled(), key=lambda job: job.name)
        self._engine = engine
        self._on_missed = on_missed
        self._on_overdue = on_overdue
        self._uptime: Uptime | None = None
        self._last_check: datetime | None = None
        self._jumps = jumps or JumpDetector()
        self._jump = timedelta(0)
        self._outage = _Outage()
        self._max_runtimes = {job.name: job.max_runtime for job in self._jobs if job.max_runtime is not None}

    def check(self, now: datetime) -> None:
        """Evaluate the due ticks, and mark overdue runs.

        Raises:
            SQLAlchemyError: the database is unavailable. The next check counts as one after a gap.
        """
        self._notice_jump(now)
        uptime, self._uptime = self._uptime_at(now), None
        self._report(self._evaluate(_Pass(now, uptime, self._jump)), uptime, now)
        self._last_check, self._jump = now, timedelta(0)
        if uptime.is_settled(now):
            self._outage = _Outage()
            mark_overdue(self._engine, now, self._on_overdue, self._max_runtimes)
        self._uptime = uptime

    def _notice_jump(self, now: datetime) -> None:
        """A jump is kept until a check has succeeded."""
        if jump := self._jumps.observe(now):
            self._jump += jump
            self._uptime, self._last_check, self._outage = None, None, _Outage()

    def _report(self, notice: MissedNotice, uptime: Uptime, now: datetime) -> None:
        if notice.is_clock_set:
            report_clock_set(self._jump, now)
        for job, ticks in notice.missed:
            self._on_missed(job.name, ticks.number)
        notice.alert(uptime.since, is_outage=all(map(self._outage.began_at, notice.last_seen)))

    def _evaluate(self, current: "_Pass") -> MissedNotice:
        self._outage.check_begins(current.now)
        try:
            return self._evaluate_jobs(current)
        except (OperationalError, InterfaceError):
            self._outage.check_failed(current.now)
            raise

    def _uptime_at(self, now: datetime) -> Uptime:
        if self._last_check is None:
            return self._uptime or Uptime(now, since_start=True)
        is_late = now - self._last_check > GAP
        return Uptime(now, since_start=False) if self._uptime is None or is_late else self._uptime

    def _evaluate_jobs(self, current: "_Pass") -> MissedNotice:
        with transaction(self._engine) as session:
            ledger = TickLedger(session)
            if self._last_check is None:
                ledger.delete_others([job.name for job in self._jobs])
            watermarks = ledger.all()
            # After the watermarks: a job that is resumed in between has another one by now.
            paused = read_pauses(session)
            for job in self._jobs:
                current.examine(job, watermarks.get(job.name), ledger, is_paused=job.name in paused)
        return current.notice


@dataclass(slots=True)
class _Outage:
    """A database outage, for all of which this process was there and tried to use the database."""

    since: datetime | None = None
    failed_at: datetime | None = None

    def check_begins(self, now: datetime) -> None:
        """Forget an outage if this process was suspended since its last check."""
        if self.failed_at is not None and now - self.failed_at > MAX_ABSENCE:
            self.since = self.failed_at = None

    def check_failed(self, now: datetime) -> None:
        self.since, self.failed_at = self.since or now, now

    def began_at(self, last_seen: datetime) -> bool:
        """Whether it began when a scheduler was seen last: the alert about the database tells of that downtime."""
        return self.since is not None and self.since - last_seen <= GAP


@dataclass(frozen=True, slots=True)
class _Pass:
    """One check of all jobs."""

    now: datetime
    uptime: Uptime
    jump: timedelta = timedelta(0)
    notice: MissedNotice = field(default_factory=MissedNotice)

    def examine(self, job: Job, watermark: Watermark | None, ledger: TickLedger, *, is_paused: bool = False) -> None:
        if watermark is None:
            ledger.add(job, self.now)
        elif is_paused or watermark.cadence != str(job.cadence):
            ledger.reset(watermark, job, self.now)  # no tick of a paused job is missed
        elif self._is_of_another_clock(watermark):
            self.notice.is_clock_set |= ledger.reset(watermark, job, self.now)
        elif watermark.seen_at < self.uptime.since:
            self._evaluate_downtime(job, watermark, ledger)
        elif self.uptime.is_settled(self.now) and has_due_ticks(job, watermark, self.now):
            self._evaluate_due_ticks(job, watermark, ledger)
        else:
            ledger.heartbeat(watermark, self.now)

    def _evaluate_downtime(self, job: Job, watermark: Watermark, ledger: TickLedger) -> None:
        if not self.uptime.is_settled(self.now):
            return
        evaluation = downtime_ticks(job, watermark, ledger.runs(job), self.uptime)
        if ledger.save(watermark, evaluation, self.now) and evaluation.downtime is not None:
            self.notice.downtime.append((job, evaluation.downtime))
            self.notice.last_seen.append(watermark.seen_at)

    def _evaluate_due_ticks(self, job: Job, watermark: Watermark, ledger: TickLedger) -> None:
        evaluation = missed_ticks(job, watermark, ledger.runs(job), self.now)
        if ledger.save(watermark, evaluation, self.now) and evaluation.missed is not None:
            self.notice.missed.append((job, evaluation.missed))

    def _is_of_another_clock(self, watermark: Watermark) -> bool:
        """Of several processes that notice the jump, the first one starts the watermark anew: it is of the new clock then."""
        if any(is_of_another_clock(moment, self.now) for moment in (watermark.seen_at, watermark.watched_until)):
            return True
        age = self.now - watermark.seen_at
        return bool(self.jump) and abs(age - self.jump) < abs(age)


class SchedulerAbsence:
    """Alerts when no scheduler is running anywhere. For processes that do not run the schedule themselves."""

    def __init__(self, engine: Engine, elapsed: Clock = elapsed_seconds) -> None:
        self._engine = engine
        self._jumps = JumpDetector(elapsed)
        self._since: datetime | None = None
        self._ahead: tuple[datetime, datetime] | None = None
        self._reported: datetime | None = None

    def check(self, now: datetime) -> None:
        """Alert once when the last heartbeat is older than `MAX_ABSENCE`, unless there has never been one.

        The absence counts from the first check at the earliest: a scheduler that starts together with this process needs
        some time until its first heartbeat. So does one that runs while the clock is set, or after a database outage.

        Raises:
            SQLAlchemyError: the database is unavailable.
        """
        if self._jumps.observe(now):
            self._since = None
        seen = self._last_heartbeat()
        started = self._since = self._since or now
        if seen is None or seen == self._reported or now - max(self._in_the_past(seen, now), started) <= MAX_ABSENCE:
            return
        self._reported = seen
        get_alert_service().report(
            f"No scheduler has been running since {format_utc(seen)}. No job starts: reviews and orders are not read. "
            "To start one: python -m service scheduler",
            AlertLevel.WARNING,
            SCHEDULER_COMPONENT,
            inhibited_by=DATABASE_COMPONENT,
            section=AlertSection.SCHEDULER_ABSENT,
        )

    def _last_heartbeat(self) -> datetime | None:
        try:
            with transaction(self._engine) as session:
                return TickLedger(session).last_heartbeat()
        except SQLAlchemyError:
            self._since = None
            raise

    def _in_the_past(self, seen: datetime, now: datetime) -> datetime:
        """A heartbeat in the future is from before the clock was set back. It counts as one of when it was first read."""
        if seen <= now + CLOCK_TOLERANCE:
            return seen
        if self._ahead is None or self._ahead[0] != seen or self._ahead[1] > now:
            self._ahead = (seen, now)
        return self._ahead[1]
