"""Staleness: a rule for each job of the schedule, and for each source, by its own cadence: when it has not succeeded for too long."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from deploy.generate.catalogue import as_scraped
from deploy.generate.slo import RUNBOOK
from service.jobs.schedule import JOBS
from service.scheduler.job import Job
from service.sync.freshness.streams import STALE_AFTER, STREAMS

TICKS: Final = 4
"""As many ticks may pass without a success; one more is too many."""
_FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LOOKED_AT: Final = 14


def rules() -> dict[str, Any]:
    jobs = {job.name: job for job in JOBS}
    sources = [_source_rule(name, jobs[stream.job_name]) for stream in STREAMS for name in stream.sources]
    return {
        "groups": [
            {"name": "job-staleness", "rules": [_rule(job) for job in JOBS]},
            {"name": "source-staleness", "rules": sources},
        ]
    }


def longest_wait(job: Job) -> timedelta:
    """Between two of its ticks."""
    moments = [_FROM]
    for _ in range(_LOOKED_AT):
        moments.append(job.cadence.after(moments[-1]))
    return max(later - earlier for earlier, later in pairwise(moments[1:]))


def _rule(job: Job) -> dict[str, Any]:
    most = TICKS * longest_wait(job)
    last = f'scheduler_job_last_success_timestamp_seconds{{job_name="{job.name}"}}'
    never = (
        f'(sum by (job_name) (scheduler_jobs_total{{job_name="{job.name}",status="failed"}}) > 0 '
        f"unless on (job_name) {last}) and on () (max(app_uptime_seconds) > {most.total_seconds():.0f})"
    )
    return {
        "alert": "JobStale",
        "expr": as_scraped(f"(time() - {last} > {most.total_seconds():.0f}) or ({never})"),
        "for": "1m",
        "labels": {"severity": "warning", "job_name": job.name},
        "annotations": {
            "summary": "Job {{ $labels.job_name }} has not succeeded for too long",
            "description": f"It runs {job.cadence}, and should succeed at least once in {most}.",
            "runbook_url": f"{RUNBOOK}#jobstale",
        },
    }


def _source_rule(source: str, job: Job) -> dict[str, Any]:
    most = STALE_AFTER * longest_wait(job)
    ages = f'max by (marketplace, source) (source_age_seconds{{source="{source}"}})'
    return {
        "alert": "SourceStale",
        "expr": as_scraped(f"{ages} > {most.total_seconds():.0f}"),
        "for": "5m",
        "labels": {"severity": "warning", "source": source},
        "annotations": {
            "summary": "{{ $labels.source }} was last read to its end {{ $value | humanizeDuration }} ago",
            "description": f"It should be read {job.cadence}. GET /sources says what keeps it from that.",
            "runbook_url": f"{RUNBOOK}#sourcestale",
        },
    }
