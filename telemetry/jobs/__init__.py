"""Jobs: a run is a span; whoever starts it, it is recorded in `job_runs`, measured, and can be read back."""

from telemetry.jobs.monitor import monitor_job

__all__ = ["monitor_job"]
