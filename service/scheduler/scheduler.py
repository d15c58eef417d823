"""The scheduler loop: starts each job at its ticks, after claiming the tick. A failing job does not end the loop."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from service.database.clock import JumpDetector, utcnow
from service.scheduler.claim_failure import ClaimFailure
from service.scheduler.claims import ClaimResult, new_owner
from service.scheduler.job import Job, RunContext, Schedule, Skipped
from service.scheduler.lease_renewal import RENEW_INTERVAL, LeaseRenewer, LeaseStore
from service.scheduler.run_threads import MAX_THREADS_PER_JOB, RunThreads
from service.shutdown import StopSignal
from telemetry.error_text import CheckFailed
from telemetry.jobs import JobHandle, monitor_job

MAX_SLEEP: Final = timedelta(seconds=30)
RENEWED_WITHIN: Final = RENEW_INTERVAL + 2.0
_log = logging.getLogger(__name__)


class ClaimStore(LeaseStore, Protocol):
    def claim_tick(self, job_name: str, tick: datetime, owner: str, *, overlaps: bool = False) -> ClaimResult: ...

    def check(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SchedulerHooks:
    """Callbacks of a scheduler, and the signal that stops it.

    Attributes:
        on_skipped: called with the name of a job whose tick is skipped.
        active_since: when the active run of a job began; None if that is not recorded.
        stop_signal: ends the loop; no job starts after it.
    """

    on_skipped: Callable[[str], None] = lambda _job_name: None
    active_since: Callable[[str], datetime | None] = lambda _job_name: None
    stop_signal: StopSignal = field(default_factory=StopSignal)


def execute_job(
    job: Job,
    context: RunContext,
    scheduled_for: datetime | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
    on_begun: Callable[[JobHandle], None] = lambda _run: None,
) -> JobHandle:
    """Run one job now and record the run. Raises whatever the job raises. `on_begun` is called before the job's work."""
    with monitor_job(job.name, metadata, scheduled_for=scheduled_for, max_runtime=job.max_runtime) as run:
        on_begun(run)
        found = job.run(context.for_run(run.metadata))
        run.skipped = isinstance(found, Skipped)
        run.metadata.update(found)
    return run


class Scheduler:
    """Runs each job in its own thread. A tick is skipped, and reported to the hooks, while the previous run is active.

    `threads` and `leases` are also those of the manual runs of this process, which `stop` ends, too.
    """

    def __init__(
        self,
        schedule: Schedule,
        context: RunContext,
        claims: ClaimStore,
        now: Callable[[], datetime] = utcnow,
        *,
        hooks: SchedulerHooks | None = None,
    ) -> None:
        self._context = context
        self._claims = claims
        self._claim_failure = ClaimFailure(claims.check)
        self.leases = LeaseRenewer(claims)
        self.threads = RunThreads()
        self._now = now
        self._hooks = hooks or SchedulerHooks()
        self._stop = self._hooks.stop_signal
        self._jobs = schedule.scheduled()
        self._jumps = JumpDetector()
        self._next_ticks: dict[str, datetime] = {}  # by the job's name
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        loop = threading.Thread(target=self._run, name="scheduler", daemon=True)
        loop.start()
        self._loop = loop  # only now: a stop in another thread waits for it

    def stop_starting(self) -> None:
        """Start no more runs."""
        self._stop.set()

    def stop(self, grace: float) -> list[str]:
        """Start no more runs, and cancel those that have not ended after `grace` seconds.

        Returns:
            The names of jobs that still run: their cancellation did not take effect in time.
        """
        self.stop_starting()
        deadline = time.monotonic() + grace
        if self._loop is not None:
            self._loop.join(grace)
        left = self.threads.stop(deadline)
        self.leases.stop()
        return left

    def check(self) -> None:
        """A health check.

        Raises:
            CheckFailed: the loop was started, not stopped, and has ended; or no run can be claimed.
        """
        if self._loop is not None and not self._loop.is_alive() and self._stop.is_running():
            raise CheckFailed("the scheduler has stopped")
        if reason := self.claim_problem():
            raise CheckFailed(f"runs cannot be claimed: {reason}")

    def claim_problem(self) -> str:
        """Why no run can be claimed; empty if runs can be claimed."""
        return self._claim_failure.current_reason()

    def _run(self) -> None:
        while self._stop.is_running():
            self._stop.wait(self._step_or_settle(self._now()))

    def _step_or_settle(self, now: datetime) -> float:
        """The seconds until the next step. After the clock was set forward, all leases have ended: active runs renew theirs first."""
        if self._jumps.observe(now) > timedelta(0):
            return RENEWED_WITHIN
        wake = self.step(now)
        return max(0.0, min(wake - self._now(), MAX_SLEEP).total_seconds())

    def step(self, now: datetime) -> datetime:
        """Start the jobs that are due. Of several ticks that a job has missed, only the last is run.

        Ticks count from the first step on. A job that catches up begins with the tick before it: the claim fails unless
        no scheduler has run that tick.

        Returns:
            When the next tick is due.
        """
        for job in self._jobs:
            following = job.cadence.after(now)
            first = job.cadence.before(now) if job.catches_up else following
            is_due = self._next_ticks.get(job.name, first) <= now
            # Also when the job is not due: the clock may have been set back.
            self._next_ticks[job.name] = following
            if is_due:
                self._start_attempt(job, job.cadence.before(now))
        return min(self._next_ticks.values(), default=now + MAX_SLEEP)

    def _start_attempt(self, job: Job, tick: datetime) -> None:
        if not self._stop.is_running():
            return
        if not self.threads.start(job.name, lambda: self._run_claimed(job, tick)) and self._stop.is_running():
            self._hooks.on_skipped(job.name)
            text = "Skipped the run of %s at %s: %d earlier runs are active, or wait for the database."
            _log.warning(text, job.name, tick.isoformat(), MAX_THREADS_PER_JOB)

    def _run_claimed(self, job: Job, tick: datetime) -> None:
        owner = new_owner()
        claim = self._claim(job, tick, owner)
        if claim == "overlaps":
            self._skip(job, tick)
        elif claim == "claimed":
            with self.leases.renewing(job.name, owner):
                execute_job(job, self._context, tick)

    def _claim(self, job: Job, tick: datetime, owner: str) -> ClaimResult:
        """`lost` also while the database is unavailable: nobody can claim the run then."""
        try:
            claim = self._claims.claim_tick(job.name, tick, owner, overlaps=job.overlaps)
        except SQLAlchemyError as error:
            self._claim_failure.report(error)
            return "lost"
        self._claim_failure.report(None)
        return claim

    def _skip(self, job: Job, tick: datetime) -> None:
        """A run that takes longer than the interval of its job is normal, as long as it is within its maximum runtime."""
        self._hooks.on_skipped(job.name)
        text = f"Skipped the run of {job.name} at {tick.isoformat()}: the previous run is still active."
        if (limit := job.max_runtime) is None:
            _log.warning("%s", text)
        elif (since := self._active_since(job.name)) is not None and self._now() - since > limit:
            began, seconds = since.isoformat(timespec="seconds"), limit.total_seconds()
            _log.warning("%s It began at %s, and may take %.0f s.", text, began, seconds)
        else:
            _log.info("%s", text)

    def _active_since(self, job_name: str) -> datetime | None:
        try:
            return self._hooks.active_since(job_name)
        except SQLAlchemyError:  # the next claim reports it
            return None
