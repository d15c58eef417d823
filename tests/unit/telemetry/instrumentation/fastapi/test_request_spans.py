"""The spans of requests are what the SDK's tracer would have started, whichever way they are started."""

import random
import runpy
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import Span, SpanLimits, SpanProcessor, TracerProvider, _tracer_metrics
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    StaticSampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from telemetry.instrumentation.fastapi import request_spans
from telemetry.instrumentation.fastapi.request_spans import DecidingTracer, RequestTracer, request_tracer
from telemetry.instrumentation.fastapi.span_maker import SpanMaker
from telemetry.sdk.sampler import JobSampler, root_bound

ATTRIBUTES = {"http.request.method": "GET", "url.path": "/x"}
CALLER = SpanContext(
    0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, TraceFlags(3), TraceState([("vendor", "1")])
)


class Choosing(Sampler):
    """A sampler of somebody: by the path."""

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):
        decision = Decision.RECORD_AND_SAMPLE if attributes["url.path"] == "/x" else Decision.DROP
        return SamplingResult(decision, {**attributes, "sampler.says": "yes"}, TraceState([("by", "path")]))

    def get_description(self):
        return "choosing"


class Counting(IdGenerator):
    """The ids of somebody, which are not random."""

    def __init__(self):
        self.last = 0

    def generate_span_id(self):
        self.last += 1
        return self.last

    generate_trace_id = generate_span_id


class Started(SpanProcessor):
    """Keeps what processors see of a span when it starts."""

    def __init__(self):
        self.seen = []

    def on_start(self, span, parent_context=None):
        self.seen.append((span.name, dict(span.attributes), span.kind, span.parent, parent_context))


SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    DEFAULT_ON,
    DEFAULT_OFF,
    StaticSampler(Decision.RECORD_ONLY),
    TraceIdRatioBased(0.5),
    ParentBasedTraceIdRatio(0.5),
    ParentBased(ALWAYS_OFF, remote_parent_not_sampled=ALWAYS_ON),
    Choosing(),
    ParentBased(Choosing()),
]
SAMPLERS += [JobSampler(sampler) for sampler in SAMPLERS]
PARENTS = {
    "none": None,
    "sampled": CALLER,
    "unsampled": SpanContext(CALLER.trace_id, CALLER.span_id, True, TraceFlags(0)),
    "invalid": SpanContext(0, 0, True),
}


def provider(sampler, ids=None, limits=None):
    made = TracerProvider(sampler=sampler, id_generator=ids, span_limits=limits, shutdown_on_exit=False)
    made.add_span_processor(processor := Started())
    made.started = processor
    return made


def in_context(parent):
    return Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())


def described(span, started):
    context = span.get_span_context()
    attributes = dict(span.attributes) if isinstance(span, Span) else None
    return (
        isinstance(span, Span),
        span.is_recording(),
        context.trace_flags,
        context.trace_state,
        context.is_remote,
        context.is_valid,
        attributes,
        started.seen,
    )


@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
@pytest.mark.parametrize("draws", ["random", "counted"])
def test_a_span_is_the_one_that_the_sdk_would_have_started(sampler, parent, draws):
    """With the same ids: the SDK and ours draw from one generator of random numbers."""
    spans, parents = [], in_context(PARENTS[parent])
    for start in (lambda tracer: tracer, request_tracer):
        made = provider(sampler, Counting() if draws == "counted" else None)
        tracer = start(made.get_tracer("tests"))
        for seed in range(8):
            random.seed(seed)
            if isinstance(tracer, RequestTracer):
                span = tracer.start("GET", parents, ATTRIBUTES.copy)
            else:
                span = tracer.start_span("GET", parents, SpanKind.SERVER, ATTRIBUTES)
            spans.append((start, span.get_span_context().trace_id, described(span, made.started)))

    theirs, ours = ([each[1:] for each in spans if (each[0] is request_tracer) is mine] for mine in (False, True))
    assert ours == theirs


def test_the_fast_ways_are_taken():
    """If this fails, the SDK has changed: spans are right, at the SDK's own cost."""
    tracer = request_tracer(provider(ALWAYS_ON).get_tracer("tests"))

    assert isinstance(tracer, DecidingTracer)
    assert tracer._maker is not None
    assert [root_bound(sampler) for sampler in (ALWAYS_OFF, DEFAULT_ON, JobSampler(ParentBasedTraceIdRatio(0.5)))] == [
        0,
        2**64,
        2**63,
    ]


@pytest.mark.parametrize("sampler", [Choosing(), ParentBased(Choosing()), StaticSampler(Decision.RECORD_ONLY)])
def test_a_sampler_that_may_look_at_more_than_the_trace_id_is_asked(sampler):
    assert root_bound(sampler) is None
    assert root_bound(JobSampler(sampler)) is None


def test_a_sampler_that_is_replaced_decides_from_then_on():
    tracer = provider(ALWAYS_OFF).get_tracer("tests")
    ours = request_tracer(tracer)
    before = ours.start("GET", Context(), ATTRIBUTES.copy).is_recording()

    tracer.sampler = ALWAYS_ON

    assert (before, ours.start("GET", Context(), ATTRIBUTES.copy).is_recording()) == (False, True)


PRIVATE = ["_tracer_config", "_tracer_metrics"]


@pytest.mark.parametrize("name", ["_span_limits", "_instrumentation_scope"])
def test_a_tracer_without_a_private_name_makes_its_spans_itself(name):
    tracer = provider(ALWAYS_ON).get_tracer("tests")
    delattr(tracer, name)

    assert SpanMaker.find(tracer) is None


@pytest.mark.parametrize("name", [*PRIVATE, "_Span", "NoOpTracerMetrics"])
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF, Choosing()])
def test_without_a_private_name_of_the_sdk_spans_are_started_the_public_way(name, sampler, monkeypatch):
    tracer = provider(sampler).get_tracer("tests")
    with monkeypatch.context() as patch:
        if name == "NoOpTracerMetrics":
            patch.setattr(request_spans, name, None)
        else:
            patch.delattr(tracer if name in PRIVATE else sdk, name)
        ours = request_tracer(tracer)

    span = ours.start("GET", Context(), ATTRIBUTES.copy)
    ours.describe(span, "GET /x", {"http.route": "/x"})

    assert getattr(ours, "_maker", None) is None
    assert span.is_recording() is (sampler is not ALWAYS_OFF)
    if span.is_recording():
        assert span.name == "GET /x"
        assert {*ATTRIBUTES.items(), ("http.route", "/x")} <= set(span.attributes.items())


def test_a_span_whose_insides_have_another_name_is_made_the_public_way(monkeypatch):
    tracer = provider(ALWAYS_ON).get_tracer("tests")

    class Renamed(sdk._Span):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self._attributes = dict(self._attributes)  # no `_dict` in it

    with monkeypatch.context() as patch:
        patch.setattr(sdk, "_Span", Renamed)
        ours = request_tracer(tracer)

    assert ours._maker is None
    assert dict(ours.start("GET", Context(), ATTRIBUTES.copy).attributes) == ATTRIBUTES


def test_a_tracer_that_is_not_the_sdks_starts_its_spans_itself():
    ours = request_tracer(trace.NoOpTracer())

    assert not ours.start("GET", Context(), ATTRIBUTES.copy).is_recording()


def test_a_tracer_that_is_switched_off_starts_nothing():
    tracer = provider(ALWAYS_ON).get_tracer("tests")
    tracer._set_tracer_config(sdk._TracerConfig(is_enabled=False))
    ours = request_tracer(tracer)

    for parent in PARENTS.values():
        started, theirs = (
            each.get_span_context()
            for each in (
                ours.start("GET", in_context(parent), ATTRIBUTES.copy),
                tracer.start_span("GET", in_context(parent)),
            )
        )
        assert started == theirs


@pytest.mark.parametrize(
    "limits", [SpanLimits(max_span_attribute_length=2), SpanLimits(max_span_attributes=1), SpanLimits(max_attributes=0)]
)
def test_limits_of_attributes_are_kept(limits):
    spans = []
    for start in ("theirs", "ours"):
        tracer = provider(ALWAYS_ON, limits=limits).get_tracer("tests")
        ours = request_tracer(tracer)
        if start == "ours":
            span = ours.start("GET", Context(), ATTRIBUTES.copy)
            ours.describe(span, "GET /x", {"http.route": "/x"})
        else:
            span = tracer.start_span("GET", Context(), SpanKind.SERVER, ATTRIBUTES)
            span.set_attributes({"http.route": "/x"})
        spans.append((dict(span.attributes), span.dropped_attributes))

    assert spans[0] == spans[1]


def test_a_span_that_somebody_filled_is_described_within_its_limit():
    ours = request_tracer(provider(ALWAYS_ON, limits=SpanLimits(max_span_attributes=16)).get_tracer("tests"))
    span = ours.start("GET", Context(), ATTRIBUTES.copy)
    span.set_attributes({f"own.{number}": number for number in range(14)})

    ours.describe(span, "GET /x", {"http.route": "/x", "http.response.status_code": 200})

    assert len(span.attributes) == 16
    assert span.attributes["http.route"] == "/x"
    assert span.dropped_attributes == 2


def test_a_span_that_somebody_ended_is_not_described(caplog):
    ours = request_tracer(provider(ALWAYS_ON).get_tracer("tests"))
    span = ours.start("GET", Context(), ATTRIBUTES.copy)
    span.end()

    ours.describe(span, "GET /x", {"http.route": "/x"})

    assert (span.name, dict(span.attributes)) == ("GET", ATTRIBUTES)
    assert caplog.records


def test_an_sdk_without_a_name_that_is_imported_can_be_imported(monkeypatch):
    tracer = provider(ALWAYS_ON).get_tracer("tests")
    monkeypatch.delattr(_tracer_metrics, "NoOpTracerMetrics")

    imported = runpy.run_path(request_spans.__file__)

    assert type(imported["request_tracer"](tracer)) is imported["RequestTracer"]


def test_the_ids_of_a_span_that_is_not_sampled_are_made_once():
    span = request_tracer(provider(JobSampler(ParentBasedTraceIdRatio(0.0))).get_tracer("t")).start(
        "GET", Context(), dict
    )

    with ThreadPoolExecutor(8) as threads:
        contexts = list(threads.map(lambda _: span.get_span_context(), range(100)))

    assert len({context.span_id for context in contexts}) == 1
    assert contexts[0].is_valid
    assert not contexts[0].trace_flags.sampled
    assert f"{contexts[0].span_id:016x}" in repr(span)
