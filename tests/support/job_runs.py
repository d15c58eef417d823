"""Job runs for tests: values as spans would produce them, distinguished by a number."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from telemetry.jobs.run import JobRun

NOON = datetime(2025, 10, 2, 12, 0, 0, 123456, tzinfo=UTC)


def run_id(number: int) -> str:
    return f"{number:048x}"


def started(number: int, **changes: object) -> JobRun:
    started_at = NOON + timedelta(minutes=number)
    run = JobRun(
        run_id=run_id(number),
        job_name="sync",
        status="running",
        started_at=started_at,
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        worker="host:1",
        heartbeat_at=started_at,
    )
    return replace(run, **changes)


def ended(number: int, outcome: str = "success", **changes: object) -> JobRun:
    run = started(number)
    finished = run.started_at + timedelta(seconds=1.5)
    status = "success" if outcome in {"success", "skipped"} else "failed"
    run = replace(
        run, status=status, outcome=outcome, finished_at=finished, heartbeat_at=finished, duration_seconds=1.5
    )
    return replace(run, **changes)
