"""Job monitoring: each run of a job is a span, and each such span becomes a row of `job_runs`."""

from telemetry.jobs.job_span import JobHandle
from telemetry.jobs.monitor import monitor_job
from telemetry.jobs.run_view import JobRunView
from telemetry.jobs.statistics.summary import job_statistics
from telemetry.jobs.store.retention import Retention
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import Base, JobRunRow
from telemetry.stacks.stack_capture import own_frames

__all__ = [
    "Base",
    "JobHandle",
    "JobRunRepository",
    "JobRunRow",
    "JobRunView",
    "Retention",
    "job_statistics",
    "monitor_job",
    "own_frames",
]
