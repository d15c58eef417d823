"""Jobs: each run is a span, and each span of a job becomes a row of `job_runs`."""

from telemetry.jobs.monitor import monitor_job

__all__ = ["monitor_job"]
