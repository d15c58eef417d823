"""Jobs: what ran, how well, how long against its own past, and what did not run."""

from typing import Final

from deploy.generate.dashboards.panels import (
    OR_NOTHING,
    RATE,
    TARGETS,
    WIDTH,
    Dashboard,
    Query,
    Row,
    Variable,
    graph,
    high_is_good,
    low_is_good,
    number,
    table,
    timeline,
)

_JOB: Final = 'job_name=~"$job_name"'


def _duration(window: str, offset: str = "") -> str:
    """The mean of the runs that ended within it, in seconds."""
    ended, taken = (
        f"sum by (job_name) (rate(scheduler_job_duration_seconds_{part}{{{_JOB}}}[{window}]{offset}))"
        for part in ("count", "sum")
    )
    return f"{taken} / ({ended} > 0)"


_NOW: Final = Row(
    "Now",
    (
        number(
            "Success in a day",
            "Of the runs that ended, without those that could only wait.",
            f'sum(increase(scheduler_jobs_total{{{_JOB},status="success"}}[1d])) / sum(increase(scheduler_jobs_total{{{_JOB}}}[1d]))',
            unit="percentunit",
            steps=high_is_good(0.95, 0.99),
        ),
        number("Run now", "All workers and machines.", f"sum(scheduler_jobs_in_progress{{{_JOB}}})"),
        number(
            "Failed in a day",
            "Each has its row: GET /jobs/status?status=failed.",
            f'sum(increase(scheduler_jobs_total{{{_JOB},status="failed"}}[1d])){OR_NOTHING}',
            steps=low_is_good(1, 4),
        ),
        number(
            "Lost in a day",
            "Their process ended without finishing them: killed, or out of memory.",
            f"sum(increase(scheduler_runs_lost_total{{{_JOB}}}[1d])){OR_NOTHING}",
            steps=low_is_good(1, 3),
        ),
        number(
            "Missed in a day",
            "Ticks that nobody ran, though schedulers were there.",
            f"sum(increase(scheduler_runs_missed_total{{{_JOB}}}[1d])){OR_NOTHING}",
            steps=low_is_good(1, 3),
        ),
        number(
            "Overdue in a day",
            "Ran for longer than they may.",
            f"sum(increase(scheduler_runs_overdue_total{{{_JOB}}}[1d])){OR_NOTHING}",
            steps=low_is_good(1, 3),
        ),
    ),
)
_RUNS: Final = Row(
    "Runs",
    (
        timeline(
            "Timeline",
            "Red where a run failed, green where all succeeded, grey where none ended.",
            Query(
                f'2 * clamp_max(ceil(sum by (job_name) (increase(scheduler_jobs_total{{{_JOB},status="failed"}}{RATE}))), 1)'
                f" > 0 or clamp_max(ceil(sum by (job_name) (increase(scheduler_jobs_total{{{_JOB}}}{RATE}))), 1)",
                "{{job_name}}",
            ),
            {0: ("none", "rgba(128,128,128,0.2)"), 1: ("success", "green"), 2: ("failed", "red")},
        ),
        table(
            "Each job",
            "The age of its newest success, its success in a day, and its duration in the last hour.",
            Query(
                f"time() - max by (job_name) (scheduler_job_last_success_timestamp_seconds{{{_JOB}}})",
                "seconds since its success",
            ),
            Query(
                f'sum by (job_name) (increase(scheduler_jobs_total{{{_JOB},status="success"}}[1d])) / sum by (job_name) (increase(scheduler_jobs_total{{{_JOB}}}[1d]))',
                "success in a day",
            ),
            Query(_duration("1h"), "seconds that it takes"),
            width=WIDTH,
            height=10,
        ),
    ),
)
_LONG: Final = Row(
    "How long",
    (
        graph(
            "Duration",
            "The mean of ten minutes.",
            Query(_duration("10m"), "{{job_name}}"),
            unit="s",
            width=12,
        ),
        graph(
            "Against its own past",
            "Today's hour by that of a day ago: 2 is twice as long. Nothing is shown before there is a yesterday.",
            Query(
                f"({_duration('1h')}) / ({_duration('1h', ' offset 1d')}) or on () vector(1)",
                "{{job_name}}",
            ),
            width=12,
            steps=low_is_good(2, 5),
        ),
        graph(
            "Slowest in twenty",
            "The 95th percentile.",
            Query(
                f"histogram_quantile(0.95, sum by (job_name, le) (rate(scheduler_job_duration_seconds_bucket{{{_JOB}}}{RATE})))",
                "{{job_name}}",
                exemplars=True,
            ),
            unit="s",
        ),
        graph(
            "Since the newest success",
            "A line that climbs and does not fall is a job that does not succeed.",
            Query(
                f"time() - max by (job_name) (scheduler_job_last_success_timestamp_seconds{{{_JOB}}})", "{{job_name}}"
            ),
            unit="s",
        ),
        graph(
            "In progress",
            "One at a time, unless the job says otherwise.",
            Query(f"sum by (job_name) (scheduler_jobs_in_progress{{{_JOB}}})", "{{job_name}}"),
        ),
    ),
)
_NOT: Final = Row(
    "What did not run as it should",
    (
        graph(
            "Failures",
            "By job.",
            Query(
                f'sum by (job_name) (increase(scheduler_jobs_total{{{_JOB},status="failed"}}{RATE})){OR_NOTHING}',
                "{{job_name}}",
            ),
        ),
        graph(
            "Skipped, waited, missed, overdue, lost",
            "Skipped: the run before went on. Waited: it could only wait, such as for a rate limit. Missed: nobody began. Overdue: longer than it may. Lost: its process is gone.",
            Query(f"sum(increase(scheduler_ticks_skipped_total{{{_JOB}}}{RATE})){OR_NOTHING}", "skipped"),
            Query(f"sum(increase(scheduler_runs_skipped_total{{{_JOB}}}{RATE})){OR_NOTHING}", "waited"),
            Query(f"sum(increase(scheduler_runs_missed_total{{{_JOB}}}{RATE})){OR_NOTHING}", "missed"),
            Query(f"sum(increase(scheduler_runs_overdue_total{{{_JOB}}}{RATE})){OR_NOTHING}", "overdue"),
            Query(f"sum(increase(scheduler_runs_lost_total{{{_JOB}}}{RATE})){OR_NOTHING}", "lost"),
        ),
        graph(
            "Records",
            "Runs on their way to the table job_runs, by what became of them.",
            Query(f"sum by (state) (rate(telemetry_job_records_total{RATE}))", "{{state}}"),
        ),
    ),
)
DASHBOARD: Final = Dashboard(
    "sovani-jobs",
    "Jobs",
    "What ran, how well, how long against its own past, and what did not run.",
    (_NOW, _RUNS, _LONG, _NOT),
    variables=(*TARGETS, Variable("job_name", 'scheduler_jobs_total{job="$job",instance=~"$instance"}')),
)
