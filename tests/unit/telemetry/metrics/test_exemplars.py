"""Exemplars: from a bucket of a histogram to the trace of a request or a run, in any worker."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from telemetry.jobs import monitor
from telemetry.jobs.monitor import JobMonitoring, monitor_job
from telemetry.metrics.multiprocess.merge import merge
from telemetry.metrics.multiprocess.snapshot import Snapshot
from telemetry.metrics.page import MetricsPage
from tests.support.job_spans import processor_into

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
REQUESTS, RUNS = "http_request_duration_seconds", "scheduler_job_duration_seconds"


def exemplars(page, histogram):
    """The exemplars of a histogram's buckets, by their upper bounds."""
    families = parse(page.render(OPENMETRICS)[0].decode())
    samples = [sample for family in families if family.name == histogram for sample in family.samples]
    return {sample.labels["le"]: sample.exemplar for sample in samples if sample.exemplar}


def tracer(sampler=ALWAYS_ON):
    return TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("tests")


def record(stage, seconds, sampler=ALWAYS_ON):
    """Record a request of this duration in a span of its own."""
    with tracer(sampler).start_as_current_span("request") as span:
        stage.request_duration.record(seconds, {"http.route": "/reviews"})
        return span.get_span_context()


def test_a_bucket_shows_the_trace_of_a_sampled_request(stage):
    span = record(stage, 0.02)

    [(bound, exemplar)] = exemplars(stage.page, REQUESTS).items()

    assert bound == "0.025"
    assert exemplar.labels == {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}
    assert exemplar.value == 0.02
    assert exemplar.timestamp.sec > 1e9


def test_a_request_that_is_not_sampled_leaves_the_one_that_was(stage):
    record(stage, 0.02, ALWAYS_OFF)
    assert exemplars(stage.page, REQUESTS) == {}

    sampled = record(stage, 0.021)
    record(stage, 0.022, ALWAYS_OFF)

    for _ in range(2):  # a second scrape shows it as well
        [exemplar] = exemplars(stage.page, REQUESTS).values()
        assert exemplar.labels["trace_id"] == format_trace_id(sampled.trace_id)


def test_each_bucket_has_one_and_the_newest_of_each_stands(stage):
    record(stage, 0.02)
    stage.page.render(OPENMETRICS)

    newer, slow = record(stage, 0.021), record(stage, 20.0)

    found = exemplars(stage.page, REQUESTS)
    assert {bound: exemplar.labels["trace_id"] for bound, exemplar in found.items()} == {
        "0.025": format_trace_id(newer.trace_id),
        "+Inf": format_trace_id(slow.trace_id),
    }


def test_the_text_format_has_no_exemplars(stage):
    record(stage, 0.02)

    assert "trace_id" not in stage.text()
    assert exemplars(stage.page, REQUESTS)  # and they are still there


@pytest.fixture
def monitored(stage):
    tracers = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    tracers.add_span_processor(processor_into(lambda _run: None, instruments=stage.instruments))
    monitor.activate(JobMonitoring(tracers.get_tracer("tests")))
    yield stage
    monitor.deactivate()


def test_a_bucket_shows_the_trace_of_a_run(monitored):
    with monitor_job("sync"):
        pass

    [exemplar] = exemplars(monitored.page, RUNS).values()
    assert len(exemplar.labels["trace_id"]) == 32


def test_the_exemplars_of_several_workers_are_merged(make_stage):
    one, other = make_stage(), make_stage()
    quick, slow = record(one, 0.02), record(other, 2.0)
    record(other, 0.02, ALWAYS_OFF)
    snapshots = [
        _as_read(Snapshot(str(number), 1.0, stage.family_reader.collect_own()))
        for number, stage in enumerate((one, other))
    ]
    page = MetricsPage(lambda: merge(snapshots[:1], snapshots[1:]))

    found = exemplars(page, REQUESTS)
    assert {bound: exemplar.labels["trace_id"] for bound, exemplar in found.items()} == {
        "0.025": format_trace_id(quick.trace_id),
        "2.5": format_trace_id(slow.trace_id),
    }


def _as_read(snapshot):
    return Snapshot.decode(snapshot.encode())


def test_a_histogram_without_labels_shows_them_too(make_stage):
    stage = make_stage(mappings=())
    with tracer().start_as_current_span("some"):
        stage.meter.create_histogram("some.duration", "s").record(3.0)

    [exemplar] = exemplars(stage.page, "some_duration_seconds").values()

    assert exemplar.value == 3.0
