"""The lanes of the timeline: which runs are read of each job, and how many at most."""

from datetime import UTC, datetime, timedelta

import pytest

from telemetry.jobs.run import JobRun
from telemetry.jobs.statistics import timeline_runs
from telemetry.jobs.statistics.timeline_runs import read_lanes
from telemetry.jobs.store.runs import JobRunRepository

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
SINCE, UNTIL = NOON.timestamp(), NOON.timestamp() + 86_400


@pytest.fixture
def write(engine):
    """Writes runs of a job that begin at these seconds after noon, each of so many seconds; None is active."""
    store, written = JobRunRepository(engine), []

    def write(job, *starts, seconds=1.0, outcome="success"):
        for start in starts:
            written.append(start)
            store.write([a_run(len(written), job, NOON + timedelta(seconds=start), seconds, outcome)])

    return write


def a_run(number, job, began, seconds, outcome):
    trace_id, span_id, active = f"{number:032x}", f"{number:016x}", seconds is None
    return JobRun(
        run_id=trace_id + span_id,
        job_name=job,
        status="running" if active else "success" if outcome in {"success", "skipped"} else "failed",
        outcome=None if active else outcome,
        started_at=began,
        finished_at=None if active else began + timedelta(seconds=seconds),
        duration_seconds=seconds,
        trace_id=trace_id,
        span_id=span_id,
        worker="host:1",
        heartbeat_at=began,
    )


def drawn(runs):
    ends = [(run.started_at, run.ended_at or run.started_at) for run in runs]
    return [
        (round(start - SINCE, 3), round(end - SINCE, 3), run.outcome)
        for (start, end), run in zip(ends, runs, strict=True)
    ]


def test_the_runs_that_ended_in_the_window_and_the_active_ones_are_there(engine, write):
    write("sync", -5, -0.5, 100, 86_399.5)
    write("sync", 200, outcome="error", seconds=0.25)
    write("sync", 300, seconds=None)
    write("other", 50, outcome="skipped")

    lanes = read_lanes(engine, ["sync", "other", "never"], SINCE, UNTIL)

    assert drawn(lanes["sync"].newest) == [(200, 200.25, "error"), (100, 101, "success"), (-0.5, 0.5, "success")]
    assert drawn(lanes["sync"].running) == [(300, 300, None)]
    assert drawn(lanes["other"].newest) == [(50, 51, "skipped")]
    assert (lanes["never"].newest, lanes["never"].running) == ([], [])
    assert all(lane.is_complete for lane in lanes.values())


def test_of_a_job_with_many_runs_the_older_ones_are_samples_and_all_failures(engine, write, monkeypatch):
    """Ten of each part: the newest runs, samples of a tenth of the window each, and failures."""
    monkeypatch.setattr(timeline_runs, "_SHARES", (10, 10))
    write("busy", *range(60, 600, 60))  # nothing between ten minutes and twenty hours
    write("busy", 72_000, 72_061, outcome="error")
    write("busy", *range(80_000, 80_012))
    write("rare", 100)

    lanes = read_lanes(engine, ["busy", "rare"], SINCE, UNTIL)

    busy = lanes["busy"]
    assert drawn(busy.newest) == [(start, start + 1, "success") for start in range(80_011, 80_001, -1)]
    samples = [run for run in busy.older if run.is_sample]
    assert sorted(drawn(samples)) == [(0, 8640, "success"), (69_120, 77_760, "error"), (77_760, 86_400, "success")]
    failures = sorted(drawn([run for run in busy.older if not run.is_sample]))
    assert failures == [(72_000, 72_001, "error"), (72_061, 72_062, "error")]
    assert not busy.is_complete
    assert lanes["rare"].is_complete


@pytest.mark.parametrize("name", ["it's", "a/b", "100 %", "job_1", "名", ":job_0"])
def test_any_name_is_found(engine, write, name):
    write(name, 5)

    assert drawn(read_lanes(engine, ["x", name], SINCE, UNTIL)[name].newest) == [(5, 6, "success")]


def test_no_jobs_are_no_query(engine):
    assert read_lanes(engine, [], SINCE, UNTIL) == {}


def test_hundreds_of_jobs_are_one_statement_within_the_limit(engine, write):
    write("job_399", 5)

    lanes = read_lanes(engine, [f"job_{n}" for n in range(400)], SINCE, UNTIL)

    assert [name for name, lane in lanes.items() if lane.newest] == ["job_399"]
