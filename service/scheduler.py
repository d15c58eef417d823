"""The loop: starts each job at its ticks, if nobody else has claimed the tick, and outlives whatever a job does."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from service.context import Context
from service.schedule import Job, Schedule
from telemetry.health.report import CheckFailed
from telemetry.jobs.monitor import monitor_job
from telemetry.jobs.recording import JobHandle

LONGEST_SLEEP: Final = timedelta(seconds=30)
_log = logging.getLogger(__name__)


def utcnow() -> datetime:
    return datetime.now(UTC)


def run_job(job: Job, context: Context, scheduled_for: datetime | None = None) -> JobHandle:
    """Run one job now, recorded. What it raises is for the caller."""
    with monitor_job(job.name, scheduled_for=scheduled_for) as run:
        run.metadata.update(job.run(context.of(run.metadata)))
    return run


class Scheduler:
    """Runs each job in a thread of its own; a job that is still running lets its tick pass."""

    def __init__(
        self,
        schedule: Schedule,
        context: Context,
        claim: Callable[[str, datetime], bool],
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._context = context
        self._claim = claim
        self._now = now
        self._jobs = schedule.scheduled()
        self._due: dict[str, datetime] = {}
        self._running: dict[str, threading.Thread] = {}
        self._stop = threading.Event()
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        self._loop = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._loop.start()

    def stop(self, grace: float) -> list[str]:
        """No new runs; running ones get `grace` seconds. Returns the jobs that were not done by then."""
        self._stop.set()
        deadline = time.monotonic() + grace
        if self._loop is not None:
            self._loop.join(grace)
        for thread in list(self._running.values()):
            thread.join(max(0.0, deadline - time.monotonic()))
        return [name for name, thread in self._running.items() if thread.is_alive()]

    def check(self) -> None:
        """A health check: fails when the loop is to run, and doesn't."""
        if self._loop is not None and not self._loop.is_alive() and not self._stop.is_set():
            raise CheckFailed("the scheduler has stopped")

    def _run(self) -> None:
        while not self._stop.is_set():
            wake = self.step(self._now())
            self._stop.wait(max(0.0, min(wake - self._now(), LONGEST_SLEEP).total_seconds()))

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
        return min(self._due.values(), default=now + LONGEST_SLEEP)

    def _begin(self, job: Job, tick: datetime) -> None:
        running = self._running.get(job.name)
        if running is not None and running.is_alive():
            _log.warning("%s is still running; its tick of %s passes.", job.name, tick.isoformat())
            return
        thread = threading.Thread(target=self._attempt, args=(job, tick), name=f"job-{job.name}", daemon=True)
        self._running[job.name] = thread
        thread.start()

    def _attempt(self, job: Job, tick: datetime) -> None:
        try:
            if self._claim(job.name, tick):
                run_job(job, self._context, tick)
        except asyncio.CancelledError as error:  # it waited when the service was told to stop
            _log.info("Job %s was cancelled: %s", job.name, error)
        except (Exception, SystemExit):  # noqa: BLE001  # a job that fails is logged once, here, and the loop goes on
            _log.exception("Job %s failed", job.name, extra={"component": "scheduler"})
