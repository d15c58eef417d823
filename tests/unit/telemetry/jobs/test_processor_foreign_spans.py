"""The processor with spans of other schedulers: any span with `job.name` is a run, and no other span is."""

from datetime import timedelta

import pytest

ACTIVE = (("job.name", "sync"),)


def count_of(stage, status):
    point = stage.points("job.runs").get((*ACTIVE, ("job.status", status)))
    return point.value if point else 0


def test_a_span_with_the_name_of_a_job_is_a_run_and_is_counted_once(stage):
    tracer = stage.tracer()

    with tracer.start_as_current_span("tasks.sync", attributes={"job.name": "sync"}):
        assert stage.points("job.active")[ACTIVE].value == 1

    assert [run.status for run in stage.runs] == ["running", "success"]
    assert count_of(stage, "success") == 1
    assert stage.points("job.active")[ACTIVE].value == 0
    assert stage.points("job.duration")[ACTIVE].count == 1
    assert stage.points("job.last_success")[ACTIVE].value > 1_700_000_000


def test_a_span_that_fails_is_a_failure_with_its_error(stage):
    tracer = stage.tracer()

    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("a", attributes={"job.name": "sync"}):
        raise ValueError("no")

    assert (stage.runs[1].outcome, stage.runs[1].error_message) == ("error", "no")
    assert count_of(stage, "failed") == 1


def test_a_span_that_learns_late_that_it_is_a_job_is_a_run_when_it_ends(stage):
    with stage.tracer().start_as_current_span("tasks.sync") as span:
        span.set_attribute("job.name", "sync")

    assert [run.status for run in stage.runs] == ["success"]
    assert count_of(stage, "success") == 1
    assert "job.active" not in stage.names()


@pytest.mark.parametrize(
    ("seconds", "deadline"),
    [(90, timedelta(seconds=90)), (0.5, timedelta(seconds=0.5)), (0, None), (-1, None), (1e30, None), ("90", None)],
)
def test_a_span_may_say_for_how_long_it_may_go_on(stage, seconds, deadline):
    attributes = {"job.name": "sync", "job.max_runtime_seconds": seconds}
    stage.tracer().start_span("tasks.sync", attributes=attributes).end()

    for run in stage.runs:
        assert run.deadline_at == (None if deadline is None else run.started_at + deadline)


@pytest.mark.parametrize(("took", "is_overdue"), [(89, False), (90, False), (91, True)])
def test_a_run_that_went_on_for_longer_says_when_it_was_overdue(stage, took, is_overdue):
    attributes = {"job.name": "sync", "job.max_runtime_seconds": 90}
    span = stage.tracer().start_span("tasks.sync", attributes=attributes, start_time=10**18)
    span.end(10**18 + took * 10**9)

    run = stage.runs[1]
    assert run.overdue_at == (run.deadline_at if is_overdue else None)
