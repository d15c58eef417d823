"""Job monitoring: each run of a job is a span, and each such span becomes a row of `job_runs`."""

from telemetry.jobs.monitor import monitor_job

__all__ = ["monitor_job"]
