import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from telemetry.jobs import run_profile
from telemetry.jobs.run_profile import RunProfiler
from telemetry.sdk.sampler import JobSampler
from telemetry.sdk.trace_suppression import suppressed_context
from tests.support.job_spans import processor_into

SECOND = 10**9


class Stage:
    """Creates spans with given times, in seconds."""

    def __init__(self, sampler=None):
        self.runs, self.profiler, self.exporter = [], RunProfiler(), InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        if sampler is not None:
            provider.sampler = JobSampler(sampler, self.profiler.has)
        provider.add_span_processor(processor_into(self.runs.append, profiler=self.profiler))
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("tests")

    def start_span(self, name, at=0, within=None, **attributes):
        around = set_span_in_context(within) if within is not None else None
        return self.tracer.start_span(name, around, start_time=at * SECOND, attributes=attributes)

    def job(self, name="sync", at=0, within=None, **attributes):
        return self.start_span(f"job {name}", at, within, **{"job.name": name}, **attributes)

    def span(self, name, starts, ends, within, error=None, **attributes):
        span = self.start_span(name, starts, within, **attributes)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(ends * SECOND)

    def profile(self, job="sync"):
        [run] = [run for run in self.runs if run.job_name == job and run.finished_at]
        return run.slowest_child, run.slowest_child_seconds, run.first_error


@pytest.fixture
def stage():
    return Stage()


def test_a_run_says_what_took_the_time_and_what_failed_first(stage):
    job = stage.job()
    stage.span("POST /v4/posting/fbs/list", 0, 2, job, "refused", **{"http.response.status_code": 429})
    stage.span("select /var/a.db", 2, 40, job, **{"db.query.text": "SELECT id FROM orders WHERE id = ?"})
    stage.span("GET /ping", 40, 41, job, "gone", **{"error.type": "ConnectError"})
    job.end(42 * SECOND)

    assert stage.profile() == ("SELECT orders", 38.0, "POST /v4/posting/fbs/list 429")


def test_a_run_without_spans_says_nothing(stage):
    stage.job().end(1 * SECOND)

    assert stage.profile() == (None, None, None)


def test_a_span_counts_without_what_is_in_it(stage):
    job = stage.job()
    page = stage.start_span("read a page", 0, job)
    stage.span("POST /list", 1, 8, page)
    page.end(10 * SECOND)
    job.end(10 * SECOND)

    assert stage.profile() == ("POST /list", 7.0, None)


def test_many_quick_spans_of_one_name_count_together(stage):
    job = stage.job()
    for second in range(40):
        stage.span("SELECT", second, second + 1, job)
    stage.span("POST /list", 40, 50, job)
    job.end(50 * SECOND)

    assert stage.profile() == ("SELECT", 40.0, None)


def test_a_run_in_a_run_is_one_span_of_the_outer_and_a_run_of_its_own(stage):
    outer = stage.job("outer")
    inner = stage.job("inner", 1, outer)
    stage.span("POST /list", 1, 5, inner, "no", **{"http.response.status_code": 500})
    inner.set_status(Status(StatusCode.ERROR, "failed"))
    inner.end(6 * SECOND)
    stage.span("SELECT", 6, 8, outer)
    outer.end(8 * SECOND)

    assert stage.profile("inner") == ("POST /list", 4.0, "POST /list 500")
    assert stage.profile("outer") == ("job inner", 5.0, "job inner")


def test_spans_in_other_threads_count_when_they_are_told_where_they_belong(stage):
    job = stage.job()
    threads = [threading.Thread(target=lambda: [stage.span("SELECT", 0, 1, job) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    job.end(1 * SECOND)

    assert stage.profile() == ("SELECT", 800.0, None)


def test_what_ends_after_the_run_or_never_is_left_out_and_forgotten(stage):
    job = stage.job()
    late = stage.start_span("late", 0, job)
    stage.start_span("never", 0, job)
    job.end(1 * SECOND)
    late.end(100 * SECOND)

    assert stage.profile() == (None, None, None)
    assert stage.profiler._open == {}


def test_spans_outside_of_runs_are_not_looked_at(stage):
    request = stage.start_span("GET /reviews")
    stage.span("SELECT", 0, 1, request)
    request.end(1 * SECOND)

    assert stage.profiler._open == {}
    assert stage.runs == []


def test_what_is_open_at_once_has_a_bound_beyond_which_it_is_left_out(stage, monkeypatch):
    monkeypatch.setattr(run_profile, "MAX_OPEN_SPANS", 3)
    job = stage.job()
    spans = [stage.start_span(f"span {number}", 0, job) for number in range(5)]
    for number, span in enumerate(spans):
        span.end((number + 1) * SECOND)
    job.end(9 * SECOND)

    assert stage.profile() == ("span 1", 2.0, None)


def test_names_have_a_bound_beyond_which_only_known_ones_count(stage, monkeypatch):
    monkeypatch.setattr(run_profile, "MAX_SPAN_NAMES", 2)
    job = stage.job()
    for name, seconds in (("a", 1), ("b", 2), ("c", 100), ("a", 5)):
        stage.span(name, 0, seconds, job)
    job.end(9 * SECOND)

    assert stage.profile() == ("a", 6.0, None)


def test_a_long_name_is_cut_to_the_column(stage):
    job = stage.job()
    stage.span("x" * 1000, 0, 1, job, "no")
    job.end(1 * SECOND)

    name, _, error = stage.profile()
    assert (len(name), len(error)) == (255, 255)


def test_clocks_that_go_backwards_count_nothing(stage):
    job = stage.job()
    stage.span("SELECT", 5, 1, job)
    job.end(9 * SECOND)

    assert stage.profile() == ("SELECT", 0.0, None)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 50)), min_size=1, max_size=30))
def test_the_slowest_is_that_with_the_largest_sum(spans):
    stage, sums = Stage(), {}
    job = stage.job()
    for name, seconds in spans:
        stage.span(f"span {name}", 0, seconds, job)
        sums[f"span {name}"] = sums.get(f"span {name}", 0) + seconds
    job.end(9 * SECOND)

    name, seconds, _ = stage.profile()
    assert sums[name] == seconds == max(sums.values())


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0.0)], ids=["off", "none of them"])
def test_the_spans_in_a_run_are_seen_at_no_sampling_at_all_and_not_exported(sampler):
    stage = Stage(sampler)
    job = stage.job()
    page = stage.start_span("page", 0, job)
    stage.span("SELECT", 0, 3, page)
    page.end(3 * SECOND)
    job.end(4 * SECOND)

    assert stage.profile() == ("SELECT", 3.0, None)
    assert {span.name for span in stage.exporter.get_finished_spans()} <= {"job sync"}


def test_spans_outside_of_runs_stay_unrecorded_at_no_sampling_and_so_do_the_telemetrys_own():
    stage = Stage(ALWAYS_OFF)
    job = stage.job()

    assert not stage.start_span("GET /reviews").is_recording()
    assert not stage.tracer.start_span("own", set_span_in_context(job, suppressed_context())).is_recording()
    job.end(1 * SECOND)
    assert not stage.start_span("after", 2, job).is_recording()
