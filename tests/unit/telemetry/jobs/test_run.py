import re
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Status, StatusCode

from telemetry.jobs import monitor_job

NOON = 1_759_406_400_000_000_000  # 2025-10-02T12:00:00Z


def run_of(stage, attributes, act=lambda span: None, name="nightly", limits=None):
    """The run of a span that was not started by `monitor_job`."""
    span = stage.tracer(limits=limits).start_span(name, attributes=attributes, start_time=NOON)
    act(span)
    span.end(NOON + 1_500_000_000)
    return stage.runs[-1]


def test_a_span_that_is_no_job_is_no_run(stage):
    stage.tracer().start_span("GET /", attributes={"http.route": "/"}).end()

    assert stage.runs == []


def test_a_run_is_running_when_its_span_begins_and_finished_when_it_ends(stage):
    run_of(stage, {"job.name": "sync", "job.scheduled_for": "2025-10-02T14:59:00+03:00"})
    started, ended = stage.runs

    assert (started.status, started.outcome, started.finished_at, started.duration_seconds) == ("running",) + (
        None,
    ) * 3
    assert started.heartbeat_at == started.started_at == datetime(2025, 10, 2, 12, tzinfo=UTC)
    assert started.scheduled_for == datetime(2025, 10, 2, 11, 59, tzinfo=UTC)
    assert (ended.status, ended.outcome, ended.duration_seconds, ended.error_message) == (
        "success",
        "success",
        1.5,
        None,
    )
    assert ended.heartbeat_at == ended.finished_at == ended.started_at + timedelta(seconds=1.5)
    assert ended.run_id == started.run_id == ended.trace_id + ended.span_id
    assert re.fullmatch("[0-9a-f]{48}", ended.run_id)
    assert ended.worker == "host:1"


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ({}, StatusCode.UNSET, ("success", "success")),
        ({}, StatusCode.OK, ("success", "success")),
        ({}, StatusCode.ERROR, ("failed", "error")),
        ({"job.status": "failed"}, StatusCode.UNSET, ("failed", "error")),
        ({"job.status": "success"}, StatusCode.ERROR, ("success", "success")),
        ({"job.status": "running"}, StatusCode.UNSET, ("success", "success")),
        ({"job.outcome": "timeout"}, StatusCode.UNSET, ("failed", "timeout")),
        ({"job.outcome": "cancelled", "job.status": "failed"}, StatusCode.ERROR, ("failed", "cancelled")),
        ({"job.outcome": "tim", "job.status": "fai"}, StatusCode.ERROR, ("failed", "timeout")),
        ({"job.outcome": "skipped", "job.status": "success"}, StatusCode.UNSET, ("success", "skipped")),
        ({"job.outcome": "sk", "job.status": "su"}, StatusCode.UNSET, ("success", "skipped")),
        ({"job.outcome": "superb"}, StatusCode.UNSET, ("success", "success")),
        ({"job.outcome": ""}, StatusCode.ERROR, ("failed", "error")),
        ({"job.outcome": 5, "job.status": ["failed"]}, StatusCode.ERROR, ("failed", "error")),
    ],
)
def test_the_outcome_is_what_the_attributes_say_or_else_the_spans_status(stage, attributes, status, expected):
    run = run_of(stage, {"job.name": "sync", **attributes}, lambda span: span.set_status(Status(status)))

    assert (run.status, run.outcome) == expected


def fails_with(error):
    def act(span):
        span.record_exception(ValueError("an earlier one, which was handled"))
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, "described"))

    return act


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (fails_with(ValueError("no orders")), "no orders"),
        (fails_with(ValueError()), "ValueError"),
        (fails_with(ValueError("x" * 600)), "x" * 500),
        (fails_with(ValueError("nul\x00")), "nul\ufffd"),
        (lambda span: span.set_status(Status(StatusCode.ERROR, "described")), "described"),
        (lambda span: span.set_status(Status(StatusCode.ERROR)), None),
        (lambda span: span.set_attributes({"job.error": "said", "job.status": "failed"}), "said"),
        (lambda span: span.record_exception(ValueError("handled")), None),
    ],
)
def test_the_error_is_the_exceptions_message(stage, act, message):
    assert run_of(stage, {"job.name": "sync"}, act).error_message == message


@pytest.mark.parametrize(
    ("given", "expected"),
    [("x" * 120, "x" * 100), ("nul\x00", "nul\ufffd"), (7, "7"), ("half \ud800", "half ?"), ("", "")],
)
def test_any_name_is_made_one_that_can_be_written(stage, given, expected):
    assert run_of(stage, {"job.name": given}).job_name == expected


@pytest.mark.parametrize("given", ["yesterday", "", 5, "9999999-01-01", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_left_out(stage, given):
    assert run_of(stage, {"job.name": "sync", "job.scheduled_for": given}).scheduled_for is None


def test_a_time_without_a_zone_is_utc(stage):
    run = run_of(stage, {"job.name": "sync", "job.scheduled_for": "2025-10-02T12:00:00"})

    assert run.scheduled_for == datetime(2025, 10, 2, 12, tzinfo=UTC)


def test_a_clock_that_went_back_makes_no_negative_duration(stage):
    span = stage.tracer().start_span("nightly", attributes={"job.name": "sync"}, start_time=NOON)

    span.end(NOON - 5_000_000_000)

    assert stage.runs[-1].duration_seconds == 0
    assert stage.runs[-1].finished_at == stage.runs[-1].started_at


@pytest.mark.parametrize("length", [1, 5, 9, 40])
def test_attributes_that_are_cut_cost_nothing(stage, length):
    stage.activate(limits=SpanLimits(max_attribute_length=length))

    with pytest.raises(TimeoutError), monitor_job("sync_wb_orders", {"source": "WB", "filler": "x" * 50}):
        raise TimeoutError("Timeout connecting to WB API, after a while")
    run = stage.runs[-1]

    assert (run.job_name, run.status, run.outcome) == ("sync_wb_orders", "failed", "timeout")
    assert run.error_message == "Timeout connecting to WB API, after a while"
    assert run.metadata == {"source": "WB", "filler": "x" * 50}


def test_the_name_of_a_foreign_span_does_not_change_the_jobs(stage):
    assert run_of(stage, {"job.name": "sync"}, name="job sync of the night").job_name == "sync"
    assert run_of(stage, {"job.name": "sync"}, name="sync_orders").job_name == "sync"


def set_attributes_and_fail():
    for n in range(200):
        trace.get_current_span().set_attribute(f"a{n}", n)
    raise TimeoutError("late")


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 128])
def test_a_job_that_sets_attributes_without_end_is_recorded(stage, limit):
    stage.activate(limits=SpanLimits(max_span_attributes=limit))

    with pytest.raises(TimeoutError), monitor_job("sync"):
        set_attributes_and_fail()
    run = stage.runs[-1]

    assert (run.job_name, run.status, run.outcome, run.error_message) == ("sync", "failed", "timeout", "late")


def test_a_run_that_could_only_wait_is_counted_apart_and_is_neither_a_success_nor_a_failure(stage, recording):
    with monitor_job("sync") as run:
        run.skipped = True
        run.metadata["paused_until"] = "2083-01-01"

    [ended] = stage.ended()
    assert (ended.status, ended.outcome, ended.error_message) == ("success", "skipped", None)
    assert ended.metadata == {"paused_until": "2083-01-01"}
    [(labels, point)] = stage.points("job.runs.skipped").items()
    assert (labels, point.value) == ((("job.name", "sync"),), 1)
    assert not stage.names() & {"job.runs", "job.last_success", "job.last_failure"}


def test_a_run_that_waits_and_then_fails_has_failed(stage, recording):
    def fail(run):
        run.skipped = True
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), monitor_job("sync") as run:
        fail(run)

    assert stage.ended()[0].outcome == "error"
