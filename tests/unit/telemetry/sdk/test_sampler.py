import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBased,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from telemetry.sdk.sampler import JobSampler
from telemetry.sdk.trace_suppression import suppressed_context

JOB = {"job.name": "sync"}
NEVER, ALWAYS = TraceIdRatioBased(0.0), TraceIdRatioBased(1.0)
NOT_SAMPLED, SAMPLED = TraceFlags(0), TraceFlags(1)


class Processor(SpanProcessor):
    """Keeps the names of recorded spans, exported or not."""

    def __init__(self):
        self.started, self.ended = [], []

    def on_start(self, span, parent_context=None):
        self.started.append(span.name)

    def on_end(self, span):
        self.ended.append(span.name)


class Stage:
    def __init__(self, sampler):
        self.processor = Processor()
        self.exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
        self.provider = TracerProvider(sampler=JobSampler(sampler), shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporters[0]))
        self.provider.add_span_processor(BatchSpanProcessor(self.exporters[1]))
        self.tracer = self.provider.get_tracer("tests")

    def exported(self):
        """The names of the exported spans, which both processors agree on."""
        self.provider.force_flush()
        simple, batch = (sorted(span.name for span in exporter.get_finished_spans()) for exporter in self.exporters)
        assert simple == batch
        return simple


@pytest.fixture
def stage_of():
    stages = []

    def make(sampler):
        stages.append(Stage(sampler))
        return stages[-1]

    yield make
    for stage in stages:
        stage.provider.shutdown()


def parent(flags):
    remote = SpanContext(int("1" * 32, 16), int("2" * 16, 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(NonRecordingSpan(remote))


OFF = [ALWAYS_OFF, DEFAULT_OFF]
ON = [ALWAYS_ON, DEFAULT_ON, NEVER, ALWAYS, ParentBased(NEVER), ParentBased(ALWAYS)]


@pytest.mark.parametrize("flags", [None, NOT_SAMPLED, SAMPLED])
@pytest.mark.parametrize("sampler", OFF + ON, ids=lambda sampler: sampler.get_description())
def test_processors_see_every_job_run(stage_of, sampler, flags):
    stage = stage_of(sampler)

    stage.tracer.start_span("job sync", parent(flags) if flags is not None else None, attributes=JOB).end()

    assert (stage.processor.started, stage.processor.ended) == (["job sync"], ["job sync"])


@pytest.mark.parametrize("flags", [None, NOT_SAMPLED])
@pytest.mark.parametrize("sampler", OFF, ids=lambda sampler: sampler.get_description())
def test_where_tracing_is_off_a_job_run_is_recorded_and_not_exported(stage_of, sampler, flags):
    stage = stage_of(sampler)

    stage.tracer.start_span("job sync", parent(flags) if flags is not None else None, attributes=JOB).end()

    assert stage.exported() == []


@pytest.mark.parametrize("flags", [None, NOT_SAMPLED, SAMPLED])
@pytest.mark.parametrize("sampler", ON, ids=lambda sampler: sampler.get_description())
def test_where_some_traces_are_sampled_every_job_run_is_exported(stage_of, sampler, flags):
    stage = stage_of(sampler)

    stage.tracer.start_span("job sync", parent(flags) if flags is not None else None, attributes=JOB).end()

    assert stage.exported() == ["job sync"]


def test_what_a_job_does_is_traced_with_it(stage_of):
    stage = stage_of(ParentBased(NEVER))

    with (
        stage.tracer.start_as_current_span("job sync", attributes=JOB),
        stage.tracer.start_as_current_span("SELECT"),
    ):
        pass

    assert stage.exported() == ["SELECT", "job sync"]


@pytest.mark.parametrize(
    ("sampler", "flags", "exported"),
    [
        (ALWAYS_OFF, None, False),
        (ALWAYS_ON, None, True),
        (NEVER, None, False),
        (ALWAYS, None, True),
        (ParentBased(ALWAYS), NOT_SAMPLED, False),
        (ParentBased(NEVER), SAMPLED, True),
    ],
)
def test_every_other_span_is_for_the_sampler_to_decide(stage_of, sampler, flags, exported):
    stage = stage_of(sampler)

    context = parent(flags) if flags is not None else None
    stage.tracer.start_span("GET /reviews", context, attributes={"http.route": "/reviews"}).end()

    assert stage.exported() == (["GET /reviews"] if exported else [])
    assert stage.processor.ended == stage.exported()


def test_an_attribute_that_comes_later_makes_no_job_of_a_span(stage_of):
    stage = stage_of(ALWAYS_OFF)

    span = stage.tracer.start_span("late")
    span.set_attributes(JOB)
    span.end()

    assert stage.processor.ended == []


def test_the_state_of_the_callers_trace_is_kept(stage_of):
    stage = stage_of(ParentBased(NEVER))
    state = trace.TraceState([("vendor", "1")])
    remote = SpanContext(int("1" * 32, 16), int("2" * 16, 16), True, NOT_SAMPLED, state)

    span = stage.tracer.start_span("job", trace.set_span_in_context(NonRecordingSpan(remote)), attributes=JOB)

    assert span.get_span_context().trace_state.get("vendor") == "1"
    span.end()


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ParentBased(ALWAYS), ALWAYS_OFF])
def test_work_in_a_suppressed_context_is_not_traced_with_any_sampler(stage_of, sampler):
    stage = stage_of(sampler)

    stage.tracer.start_span("UPDATE job_runs", suppressed_context()).end()

    assert stage.processor.ended == []
    assert stage.exported() == []


def test_it_has_a_description():
    assert JobSampler(ALWAYS_OFF).get_description() == "JobSampler(AlwaysOffSampler)"


@pytest.mark.parametrize("sampler", [ParentBased(NEVER), ParentBased(ALWAYS)])
def test_spans_of_a_run_have_its_trace_state_entry_beside_existing_ones(stage_of, sampler):
    stage = stage_of(sampler)
    caller = SpanContext(1, 1, True, SAMPLED, TraceState([("vendor", "x")]))
    called = trace.set_span_in_context(NonRecordingSpan(caller))

    with stage.tracer.start_as_current_span("request", called):
        with stage.tracer.start_as_current_span("job", attributes=JOB):
            stage.tracer.start_span("query").end()
        stage.tracer.start_span("after").end()
    stage.tracer.start_span("alone", attributes=JOB).end()

    states = {span.name: dict(span.context.trace_state) for span in stage.exporters[0].get_finished_spans()}
    assert states["job"] == states["query"] == {"job": "run", "vendor": "x"}
    assert states["request"] == states["after"] == {"vendor": "x"}
    assert states["alone"] == {"job": "run"}
