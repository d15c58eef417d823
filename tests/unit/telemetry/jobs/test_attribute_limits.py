"""Limits of the SDK on attributes never keep a run from being recorded to its end, with its right outcome."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from telemetry.jobs.monitor import monitor_job
from telemetry.sdk.sampler import JobSampler
from tests.support.job_spans import processor_into

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MANY = {f"extra.{number}": number for number in range(300)}


@pytest.fixture
def tracer_of():
    def make(runs, sampler=ALWAYS_ON, **limits):
        provider = TracerProvider(sampler=JobSampler(sampler), shutdown_on_exit=False, span_limits=SpanLimits(**limits))
        provider.add_span_processor(processor_into(runs.append, worker="host:1"))
        return provider.get_tracer("foreign")

    return make


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 128])
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
def test_a_foreign_span_with_more_attributes_than_the_limit_ends(tracer_of, limit, sampler):
    runs = []
    given = {"job.name": "sync", "job.max_runtime_seconds": 90, "job.metadata": '{"a": 1}', **MANY}

    with tracer_of(runs, sampler, max_span_attributes=limit).start_as_current_span("tasks", attributes=given) as span:
        span.set_attributes(MANY)

    assert [(run.job_name, run.status) for run in runs] == [("sync", "running"), ("sync", "success")]
    assert [run.metadata for run in runs] == [{"a": 1}] * 2
    assert [run.deadline_at - run.started_at for run in runs] == [timedelta(seconds=90)] * 2


def test_what_a_foreign_span_got_meanwhile_ends_it_where_no_sampler_of_ours_saw_its_start(stage):
    tracer = stage.tracer(limits=SpanLimits(max_span_attributes=4))

    with tracer.start_as_current_span("tasks", attributes={"job.name": "sync"}) as span:
        span.set_attributes(MANY)

    assert [(run.job_name, run.status) for run in stage.runs] == [("sync", "running"), ("sync", "success")]


def test_a_foreign_span_that_fails_is_a_failure_without_any_attribute(tracer_of):
    runs = []
    tracer = tracer_of(runs, max_span_attributes=0, max_event_attributes=0)

    with pytest.raises(ValueError, match="no"), tracer.start_as_current_span("tasks", attributes={"job.name": "sync"}):
        raise ValueError("no")

    assert (runs[1].outcome, runs[1].error_message) == ("error", "ValueError: no")


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_foreign_name_that_is_cut_is_whole(tracer_of, length):
    runs = []

    tracer_of(runs, max_attribute_length=length).start_span("tasks", attributes={"job.name": "nightly"}).end()

    assert [run.job_name for run in runs] == ["nightly", "nightly"]


@pytest.mark.parametrize("limits", [*({"max_span_attributes": each} for each in range(5)), {"max_attribute_length": 0}])
def test_a_monitored_job_is_whole_whatever_the_limits(stage, limits):
    stage.activate(limits=SpanLimits(**limits))

    with monitor_job("a/b", {"n": 1}, scheduled_for=NOON, max_runtime=timedelta(seconds=90)) as run:
        run.metadata["m"] = "x" * 200

    begun, ended = stage.runs
    assert (begun.job_name, begun.metadata, begun.scheduled_for) == ("a/b", {"n": 1}, NOON)
    assert (ended.outcome, ended.metadata) == ("success", {"n": 1, "m": "x" * 200})
    assert ended.deadline_at == ended.started_at + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(TimeoutError("late"), "timeout"), (asyncio.CancelledError(), "cancelled"), (OSError("no"), "error")],
)
def test_the_outcome_of_a_monitored_job_needs_no_attribute(stage, error, outcome):
    stage.activate(limits=SpanLimits(max_span_attributes=0))

    with pytest.raises(type(error)), monitor_job("sync"):
        raise error

    assert [run.outcome for run in stage.runs] == [None, outcome]


def test_runs_inside_runs_are_told_apart(stage):
    stage.activate(limits=SpanLimits(max_span_attributes=0))

    with monitor_job("outer", {"is": "outer"}), monitor_job("outer", {"is": "inner"}):
        pass

    assert [(run.status, run.metadata["is"]) for run in stage.runs] == [
        ("running", "outer"),
        ("running", "inner"),
        ("success", "inner"),
        ("success", "outer"),
    ]


def test_a_span_that_is_no_job_is_none_after_a_job_that_was_not_recorded(stage, tracer_of):
    runs = []
    tracer = tracer_of(runs, max_span_attributes=0)
    tracer.start_span("tasks", attributes={"job.name": "sync"}).end()

    with tracer.start_as_current_span("outer"):
        tracer.start_span("tasks").end()

    assert len(runs) == 2
