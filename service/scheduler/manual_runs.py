"""Runs of a job that a person asks for. They are recorded with who asked, and never overlap another run of the job."""

import queue
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from service.errors import RETRY_AFTER, Problem
from service.scheduler.claims import LEASE_SECONDS, new_owner
from service.scheduler.job import Job, RunContext
from service.scheduler.lease_renewal import LeaseStore
from service.scheduler.monitoring.notices import format_utc
from service.scheduler.scheduler import Scheduler, execute_job
from telemetry.jobs import JobHandle, JobRunRepository, JobRunRow

REQUESTED_BY: Final = "requested_by"
"""The metadata of a manual run: who asked for it."""
START_TIMEOUT: Final = 10.0
"""Seconds within which a run begins, unless the machine hangs."""


class JobAlreadyRunning(Problem):
    """409: a run of the job is active, and the runs of the job may not overlap."""

    status = HTTPStatus.CONFLICT

    def __init__(self, job_name: str, active: JobRunRow | None) -> None:
        """`active` is None while the run is not recorded yet."""
        super().__init__(
            f"{job_name} is running already, {_described(active) if active else 'since a moment ago'}. Try again when it has ended; "
            f"if its process was killed, in {LEASE_SECONDS:.0f} s."
        )


class RunNotStarted(Problem):
    """503: this process starts no run of the job now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = RETRY_AFTER


class ManualClaims(LeaseStore, Protocol):
    def claim_manual_run(self, job_name: str, owner: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class ManualRuns:
    """`context` makes the arguments of manual runs. They use the threads and leases of `scheduler`, which need not run."""

    context: RunContext
    claims: ManualClaims
    scheduler: Scheduler
    store: JobRunRepository

    def execute(
        self, job: Job, requested_by: str, observe: Callable[[RunContext], RunContext] = lambda context: context
    ) -> JobHandle:
        """Run a job in this thread. Raises what the job raises.

        Args:
            job: the job.
            requested_by: who asks for the run.
            observe: makes the context of the run from that of manual runs.

        Raises:
            JobAlreadyRunning: a run of the job is active.
        """
        owner = self._claim(job)
        with self.scheduler.leases.renewing(job.name, owner):
            return execute_job(job, observe(self.context), metadata={REQUESTED_BY: requested_by})

    def start(self, job: Job, requested_by: str) -> JobHandle:
        """Run a job in a thread of its own.

        Returns:
            The run as soon as it has begun.

        Raises:
            JobAlreadyRunning: a run of the job is active.
            RunNotStarted: the service is stopping, or the run did not begin within `START_TIMEOUT`.
        """
        owner, begun = self._claim(job), queue.SimpleQueue[JobHandle]()

        def run() -> None:
            with self.scheduler.leases.renewing(job.name, owner):
                execute_job(job, self.context, metadata={REQUESTED_BY: requested_by}, on_begun=begun.put)

        if not self.scheduler.threads.start(job.name, run):
            self.claims.release(job.name, owner)
            raise RunNotStarted(f"{job.name} was not started: the service is stopping, or too many of its runs go on.")
        try:
            return begun.get(timeout=START_TIMEOUT)
        except queue.Empty:
            text = (
                f"{job.name} has not begun within {START_TIMEOUT:.0f} s: GET /jobs/status says whether it does later."
            )
            raise RunNotStarted(text) from None

    def _claim(self, job: Job) -> str:
        """Returns the owner of the lease. Runs that may overlap need none."""
        owner = new_owner()
        if not job.overlaps and not self.claims.claim_manual_run(job.name, owner):
            raise JobAlreadyRunning(job.name, self.store.running(job.name))
        return owner


def _described(run: JobRunRow) -> str:
    """Who runs the job, since when, and who asked for it."""
    host, _, pid = run.worker.rpartition(":")
    return f"in process {pid} on {host}, since {format_utc(run.started_at)}, {_origin(run)}"


def _origin(run: JobRunRow) -> str:
    """Who started the run, as a part of a sentence."""
    if run.scheduled_for is not None:
        return "started by the schedule"
    return f"started by {run.details.get(REQUESTED_BY, 'hand')}"
