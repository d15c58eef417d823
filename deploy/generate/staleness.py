"""Staleness: a rule for each job of the schedule, and for each source, by its own cadence: when it has not succeeded for too long."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from deploy.generate import runbook
from deploy.generate.catalogue import as_scraped
from service.jobs.schedule import JOBS
from service.scheduler.job import Job
from service.sync.freshness.streams import STALE_AFTER, STREAMS

TICKS: Final = 4
"""As many ticks may pass without a success; one more is too many."""
LONGEST_WAIT: Final = timedelta(days=1)
"""So long a job may go without a success if its runs can only wait."""
_SYNCS: Final = frozenset(stream.job_name for stream in STREAMS)
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
    while_waiting = max(most, LONGEST_WAIT)
    excused = f"({_paused(job, most)} or {_suspended(job)})" if job.name in _SYNCS else f"({_paused(job, most)})"
    stale = f"{_old(job, most, while_waiting)} or {_never(job, most, while_waiting)}"
    return {
        "alert": "JobStale",
        "expr": as_scraped(f"({stale}) unless on (job_name) {excused}"),
        "for": "1m",
        "labels": {"severity": "warning", "job_name": job.name},
        "annotations": {
            "summary": "Job {{ $labels.job_name }} has not succeeded for too long",
            "description": f"It runs {job.cadence}, and should succeed at least once in {most}"
            + (f", or in {while_waiting} while its runs can only wait." if while_waiting > most else ".")
            + " A paused job is not stale.",
            "runbook_url": f"{runbook.PAGE}#jobstale",
        },
    }


def _old(job: Job, most: timedelta, while_waiting: timedelta) -> str:
    """Its newest success is too old. While its runs can only wait, such as for a rate limit of hours, it may be older."""
    age = f"time() - {_last_success(job)}"
    if while_waiting == most:
        return f"({age} > {_seconds(most)})"
    waits = f"sum by (job_name) (increase({_skipped(job)}[{_seconds(most)}s])) > 0"
    return f"({age} > {_seconds(most)} unless on (job_name) {waits}) or ({age} > {_seconds(while_waiting)})"


def _never(job: Job, most: timedelta, while_waiting: timedelta) -> str:
    """It has never succeeded."""
    failed = f'sum by (job_name) (scheduler_jobs_total{{job_name="{job.name}",status="failed"}})'
    tries = ((failed, most), (f"sum by (job_name) ({_skipped(job)})", while_waiting))
    return " or ".join(
        f"(({runs} > 0 unless on (job_name) {_last_success(job)}) and on () (max(app_uptime_seconds) > {_seconds(after)}))"
        for runs, after in tries
    )


def _suspended(job: Job) -> str:
    """It is switched off, of which the service has sent an alert; it tries again daily."""
    return f'(max by (job_name) (scheduler_job_suspended{{job_name="{job.name}"}}) == 1)'


def _paused(job: Job, most: timedelta) -> str:
    """It is paused, or was within the time that it then has for a success."""
    return f'max by (job_name) (max_over_time(job_paused{{job_name="{job.name}"}}[{_seconds(most)}s])) > 0'


def _last_success(job: Job) -> str:
    return f'scheduler_job_last_success_timestamp_seconds{{job_name="{job.name}"}}'


def _skipped(job: Job) -> str:
    return f'scheduler_runs_skipped_total{{job_name="{job.name}"}}'


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.0f}"


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
            "runbook_url": f"{runbook.PAGE}#sourcestale",
        },
    }
