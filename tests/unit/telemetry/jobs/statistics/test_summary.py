import math
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from telemetry.database import transaction
from telemetry.jobs.run import JobRun
from telemetry.jobs.statistics.duration_trend import DurationTrend
from telemetry.jobs.statistics.run_costs import NO_COSTS
from telemetry.jobs.statistics.streaks import RunStreak
from telemetry.jobs.statistics.summary import JobDay, JobStatistics, job_statistics
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)


def a_run(n, status="success", seconds=1.0, job_name="sync"):
    started_at = NOON + timedelta(minutes=n)
    run = JobRun(
        run_id=f"{job_name}{n}",
        job_name=job_name,
        status=status,
        started_at=started_at,
        trace_id="t",
        span_id="s",
        worker="host:1",
        heartbeat_at=started_at,
    )
    if status == "running":
        return run
    return replace(run, finished_at=started_at + timedelta(seconds=seconds), duration_seconds=seconds)


def written(engine, runs):
    with transaction(engine) as session:
        session.execute(delete(JobRunRow))
    JobRunRepository(engine).write(runs)
    return runs


def test_a_job_without_runs_has_zeros_and_nothing(engine):
    assert asdict(job_statistics(engine, "sync")) == {
        "job_name": "sync",
        "total_runs": 0,
        "successful_runs": 0,
        "failed_runs": 0,
        "error_runs": 0,
        "timeout_runs": 0,
        "cancelled_runs": 0,
        "lost_runs": 0,
        "skipped_runs": 0,
        "success_rate": None,
        "avg_duration_seconds": None,
        "last_run": None,
        "last_status": None,
        "running_runs": 0,
        "p50_duration_seconds": None,
        "p95_duration_seconds": None,
        "p99_duration_seconds": None,
        "current_streak": None,
        "last_success": None,
        "window_seconds": None,
        "trend": {"verdict": "unknown", "recent_seconds": None, "usual_seconds": None, "ratio": None},
        "by_day": (),
        "costs": asdict(NO_COSTS),
    }


def test_a_job_that_has_only_begun_has_no_rate(engine):
    written(engine, [a_run(1, "running")])

    found = job_statistics(engine, "sync")

    assert (found.total_runs, found.running_runs, found.success_rate, found.current_streak) == (1, 1, None, None)
    assert (found.last_run, found.last_status) == (NOON + timedelta(minutes=1), "running")


def test_statistics_are_of_one_jobs_runs(engine):
    ours = [a_run(n, "failed" if n in {3, 50} else "success", seconds=n / 8) for n in range(1, 101)]
    written(engine, [*ours, a_run(101, "running"), *(a_run(n, "failed", 99, job_name="other") for n in range(30))])

    assert job_statistics(engine, "sync") == JobStatistics(
        job_name="sync",
        total_runs=101,
        successful_runs=98,
        failed_runs=2,
        error_runs=2,
        timeout_runs=0,
        cancelled_runs=0,
        lost_runs=0,
        success_rate=98.0,
        avg_duration_seconds=6.3125,
        last_run=NOON + timedelta(minutes=101),
        last_status="running",
        running_runs=1,
        p50_duration_seconds=50 / 8,
        p95_duration_seconds=95 / 8,
        p99_duration_seconds=99 / 8,
        current_streak=RunStreak("success", 50),
        last_success=NOON + timedelta(minutes=100, seconds=12.5),
        window_seconds=None,
        trend=DurationTrend("unknown", 12.25, None, None),
        by_day=(JobDay(NOON.date(), 98, 2, 0, 0, 0, 6.3125),),
    )


def test_a_window_leaves_out_what_began_before_it(engine):
    written(engine, [*(a_run(n, "failed", 9) for n in range(10)), *(a_run(n, seconds=2) for n in range(10, 15))])

    found = job_statistics(engine, "sync", window=timedelta(minutes=4), now=NOON + timedelta(minutes=14))

    assert (found.total_runs, found.failed_runs, found.success_rate) == (5, 0, 100.0)
    assert (found.p99_duration_seconds, found.window_seconds) == (2.0, 240.0)
    assert found.current_streak == RunStreak("success", 5)


def test_without_a_clock_the_window_ends_now(engine):
    written(engine, [a_run(1)])

    assert job_statistics(engine, "sync", window=timedelta(days=1)).total_runs == 0


@pytest.mark.parametrize(
    ("statuses", "streak"),
    [
        ("S", RunStreak("success", 1)),
        ("F", RunStreak("failed", 1)),
        ("FSS", RunStreak("success", 2)),
        ("SSFFF", RunStreak("failed", 3)),
        ("SRFRFR", RunStreak("failed", 2)),
        ("FFRR", RunStreak("failed", 2)),
    ],
)
def test_the_streak_is_of_the_newest_finished_runs(engine, statuses, streak):
    words = {"S": "success", "F": "failed", "R": "running"}
    written(engine, [a_run(n, words[letter]) for n, letter in enumerate(statuses)])

    assert job_statistics(engine, "sync").current_streak == streak


def nearest_rank(durations, percent):
    return sorted(durations)[math.ceil(percent / 100 * len(durations)) - 1]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(durations=st.lists(st.floats(0, 10_000, width=32), min_size=1, max_size=60))
def test_percentiles_are_the_nearest_rank(engine, durations):
    written(engine, [a_run(n, seconds=seconds) for n, seconds in enumerate(durations)])

    found = job_statistics(engine, "sync")

    assert found.p50_duration_seconds == nearest_rank(durations, 50)
    assert found.p95_duration_seconds == nearest_rank(durations, 95)
    assert found.p99_duration_seconds == nearest_rank(durations, 99)
    assert found.avg_duration_seconds == pytest.approx(sum(durations) / len(durations), abs=1e-6)


def test_no_success_rate_counts_a_run_that_could_only_wait(engine):
    skipped = replace(a_run(9, seconds=0.01), outcome="skipped")
    waited = [replace(skipped, run_id=f"sync{n}", started_at=NOON + timedelta(minutes=n)) for n in range(10, 30)]
    written(engine, [a_run(1), a_run(2), a_run(3, "failed"), skipped, *waited])

    found = job_statistics(engine, "sync", now=NOON + timedelta(hours=1))

    assert (found.total_runs, found.successful_runs, found.failed_runs, found.skipped_runs) == (24, 2, 1, 21)
    assert found.success_rate == 66.67
    assert found.last_success == NOON + timedelta(minutes=2, seconds=1)
    assert found.current_streak == RunStreak("failed", 1)
    assert [day.skipped for day in found.by_day] == [21]


def test_a_job_that_could_only_wait_has_no_success_rate(engine):
    written(engine, [replace(a_run(1), outcome="skipped")])

    found = job_statistics(engine, "sync", now=NOON + timedelta(hours=1))

    assert (found.total_runs, found.success_rate, found.last_success, found.current_streak) == (1, None, None, None)
