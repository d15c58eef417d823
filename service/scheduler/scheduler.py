"""The loop: starts each job at its ticks, if nobody else has claimed the tick, and outlives whatever a job does."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from service.database.clock import utcnow
from service.names import SCHEDULER_COMPONENT
from service.scheduler.claims import ClaimResult, new_owner
from service.scheduler.job import Job, RunContext, Schedule
from service.scheduler.lease_renewal import LeaseRenewer, LeaseStore
from service.shutdown import StopSignal, cancel_thread
from telemetry import semconv
from telemetry.error_text import CheckFailed
from telemetry.jobs import JobHandle, monitor_job

MAX_SLEEP: Final = timedelta(seconds=30)
MAX_CONCURRENT_ATTEMPTS: Final = 8
_CANCEL_TIMEOUT: Final = 1.0
_log = logging.getLogger(__name__)


class Claiming(LeaseStore, Protocol):
    def take(self, job_name: str, tick: datetime, holder: str, *, overlaps: bool = False) -> ClaimResult: ...


@dataclass(frozen=True, slots=True)
class SchedulerHooks:
    """`skipped` is called with the name of each job whose tick is skipped; `stop_signal` ends the loop."""

    skipped: Callable[[str], None] = lambda _job_name: None
    stop_signal: StopSignal = field(default_factory=StopSignal)


def execute_job(job: Job, context: RunContext, scheduled_for: datetime | None = None) -> JobHandle:
    """Run one job now, recorded. What it raises is for the caller."""
    with monitor_job(job.name, scheduled_for=scheduled_for, max_runtime=job.max_runtime) as run:
        run.metadata.update(job.run(context.for_run(run.metadata)))
    return run


class Scheduler:
    """Runs each job in a thread of its own. A tick that finds the run before it going on is passed over, and counted."""

    def __init__(
        self,
        schedule: Schedule,
        context: RunContext,
        claims: Claiming,
        now: Callable[[], datetime] = utcnow,
        *,
        watch: SchedulerHooks | None = None,
    ) -> None:
        self._context = context
        self._claims = claims
        self._leases = LeaseRenewer(claims)
        self._now = now
        self._watch = watch or SchedulerHooks()
        self._stop = self._watch.stop_signal
        self._jobs = schedule.scheduled()
        self._due: dict[str, datetime] = {}
        self._running: dict[threading.Thread, str] = {}
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        self._loop = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._loop.start()

    def stop_beginning(self) -> None:
        """No new runs."""
        self._stop.set()

    def stop(self, grace: float) -> list[str]:
        """No new runs; running ones get `grace` seconds, and are then cancelled. Returns the jobs that did not end by that."""
        self.stop_beginning()
        deadline = time.monotonic() + grace
        if self._loop is not None:
            self._loop.join(grace)
        self._join(deadline)
        for thread, name in self._alive():
            _log.warning("Job %s was not done within its grace, and is cancelled.", name)
            cancel_thread(thread)
        self._join(time.monotonic() + _CANCEL_TIMEOUT)
        self._leases.stop()
        return [name for _, name in self._alive()]

    def check(self) -> None:
        """A health check: fails when the loop is to run, and doesn't."""
        if self._loop is not None and not self._loop.is_alive() and self._stop.is_running():
            raise CheckFailed("the scheduler has stopped")

    def _run(self) -> None:
        while self._stop.is_running():
            wake = self.step(self._now())
            self._stop.wait(max(0.0, min(wake - self._now(), MAX_SLEEP).total_seconds()))

    def step(self, now: datetime) -> datetime:
        """Start what is due, and say when the next tick is. Of several missed ticks, the last one counts.

        What is due is counted from the first step; for a job that catches up, from the tick before it, which is claimed
        already unless nobody ran.
        """
        for job in self._jobs:
            first = job.cadence.before(now) if job.catches_up else job.cadence.after(now)
            if (tick := self._due.setdefault(job.name, first)) <= now:
                while (following := job.cadence.after(tick)) <= now:
                    tick = following
                self._due[job.name] = following
                self._begin(job, tick)
        return min(self._due.values(), default=now + MAX_SLEEP)

    def _begin(self, job: Job, tick: datetime) -> None:
        if not self._stop.is_running():
            return
        self._running = dict(self._alive())
        if list(self._running.values()).count(job.name) >= MAX_CONCURRENT_ATTEMPTS:
            self._pass_over(job, tick)  # a database that hangs keeps them all from being claimed
            return
        thread = threading.Thread(target=self._attempt, args=(job, tick), name=f"job-{job.name}", daemon=True)
        self._running[thread] = job.name
        thread.start()

    def _alive(self) -> list[tuple[threading.Thread, str]]:
        return [(thread, name) for thread, name in self._running.items() if thread.is_alive()]

    def _join(self, deadline: float) -> None:
        for thread, _ in self._alive():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _attempt(self, job: Job, tick: datetime) -> None:
        try:
            self._run_claimed(job, tick)
        except asyncio.CancelledError as error:  # the service was told to stop
            _log.info("Job %s was cancelled: %s", job.name, error)
        except (Exception, SystemExit):  # noqa: BLE001  # a job that fails is logged once, here, and the loop goes on
            # One failure is nobody's alert; `telemetry.alerts.rules.job_failures` tells of too many in a row.
            about = {semconv.COMPONENT: SCHEDULER_COMPONENT, semconv.ALERT_REPORTED_ELSEWHERE: True}
            _log.exception("Job %s failed", job.name, extra=about)

    def _run_claimed(self, job: Job, tick: datetime) -> None:
        holder = new_owner()
        taken = self._claims.take(job.name, tick, holder, overlaps=job.overlaps)
        if taken == "running":
            self._pass_over(job, tick)
        elif taken == "mine":
            with self._leases.held(job.name, holder):
                execute_job(job, self._context, tick)

    def _pass_over(self, job: Job, tick: datetime) -> None:
        self._watch.skipped(job.name)
        _log.warning("%s is still running; its tick of %s passes.", job.name, tick.isoformat())
