"""No value that a span is given raises into the work, and what can be kept of it is kept."""

import asyncio
import collections
import enum
from collections.abc import Mapping, Sequence

import pytest
from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry.sdk import otlp_values
from telemetry.sdk.guarded_propagation import GuardedPropagator
from telemetry.sdk.guarded_tracers import GuardedTracerProvider

CONTEXT = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))


def refuse(*_args, **_kwargs):
    raise RuntimeError("a foreign value")


class NoText:
    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __len__ = refuse


class OddText(str):
    __slots__ = ()
    __str__ = __repr__ = __len__ = __getitem__ = isascii = encode = refuse


class OddNumber(int):
    __str__ = __repr__ = __le__ = __ge__ = __lt__ = __gt__ = __index__ = refuse


class OddSequence(Sequence):
    __getitem__ = __len__ = __iter__ = refuse


class SecondTime(Sequence):
    """It can be read once."""

    reads = 0

    def __len__(self):
        return 1

    def __getitem__(self, _index):
        raise IndexError

    def __iter__(self):
        self.reads += 1
        return iter("a") if self.reads == 1 else refuse()


class OddMapping(Mapping):
    __getitem__ = __len__ = __iter__ = __bool__ = refuse


class Changing(dict):
    """Another thread changes it while it is read."""

    def items(self):
        for each in super().items():
            yield each
            self[f"more {len(self)}"] = 1


class OddError(Exception):
    __str__ = refuse


class Array:
    """As those of numpy: what compares them gets an array, which has no truth."""

    def __eq__(self, _other):
        return NoText()

    __hash__ = None

    def __str__(self):
        return "[1 2]"


class Color(enum.StrEnum):
    RED = "red"


def inside_itself():
    found = [1]
    found += [found, {"again": found}]
    return found


def doubled(depth):
    found = ["x"]
    for _ in range(depth):
        found = [found, found]
    return found


VALUES = {
    "a list inside itself": (inside_itself, None),
    "a mapping inside itself": (lambda: {"a": inside_itself()}, None),
    "deep": (lambda: doubled(500), None),
    "a value doubled sixty times": (lambda: doubled(60), None),
    "no text": (NoText, "<NoText>"),
    "inside a list": (lambda: ["a", NoText()], ("a", "<NoText>")),
    "a text": (lambda: OddText("abc"), "abc"),
    "a number": (lambda: OddNumber(5), 5),
    "a sequence": (OddSequence, None),
    "a sequence to be read once": (SecondTime, ("a",)),
    "a mapping": (OddMapping, None),
    "a mapping that changes": (lambda: Changing(a=1), None),
    "a mapping with odd keys": (lambda: {NoText: 1, 5: 2, None: 3, "": 4}, None),
    "an array": (Array, "[1 2]"),
    "a long range": (lambda: range(10**15), None),
    "a generator": (lambda: (each for each in "ab"), None),
    "a queue": (lambda: collections.deque([1, 2]), (1, 2)),
    "a set": (lambda: {1}, (1,)),
    "an enum": (lambda: Color.RED, "red"),
    "an error": (OddError, "<OddError>"),
    "a class": (lambda: NoText, None),
}


class Spans:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.provider = GuardedTracerProvider(Resource({}), NoOpMeterProvider())
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("tests")

    @property
    def only(self):
        [span] = self.exporter.get_finished_spans()
        return span


@pytest.fixture
def spans():
    made = Spans()
    yield made
    made.provider.shutdown()


@pytest.fixture(autouse=True)
def _counts():
    otlp_values.replaced.clear()
    yield
    otlp_values.replaced.clear()


@pytest.mark.parametrize(("make", "kept"), VALUES.values(), ids=VALUES)
def test_no_value_raises_wherever_a_span_takes_one(spans, make, kept):
    with spans.tracer.start_as_current_span(
        "work", attributes={"at start": make(), "usual": 1}, links=[Link(CONTEXT, {"odd": make(), "usual": 2})]
    ) as span:
        span.set_attribute("one", make())
        span.set_attributes({"several": make(), "more": 3})
        span.add_event("event", {"odd": make(), "usual": 4})
        span.add_link(CONTEXT, {"odd": make(), "usual": 5})
        span.record_exception(ValueError("x"), {"odd": make(), "usual": 6})
        trace.get_current_span().set_status(StatusCode.ERROR, make())

    found = spans.only
    assert (found.name, found.attributes["usual"], found.attributes["more"]) == ("work", 1, 3)
    assert [event.attributes["usual"] for event in found.events] == [4, 6]
    assert [link.attributes["usual"] for link in found.links] == [2, 5]
    kept_values = [found.attributes[name] for name in ("at start", "one", "several")]
    assert kept is None or kept_values == [kept] * 3
    assert all(len(str(value)) < 100_000 for value in kept_values)


@pytest.mark.parametrize("make", [each for each, _ in VALUES.values()], ids=VALUES)
def test_no_name_key_or_argument_raises(spans, make):
    with spans.tracer.start_as_current_span(make(), attributes=make(), links=make()) as span:
        span.set_attribute(make(), 1)
        span.set_attributes(make())
        span.add_event(make(), make())
        span.add_link(make(), make())
        span.record_exception(make(), make())
        span.set_status(make())
        span.update_name(make())
        span.set_attribute("usual", 1)

    assert spans.only.attributes["usual"] == 1
    assert type(spans.only.name) is str
    spans.provider.get_tracer(make(), make(), make(), {"a": make()}).start_span("a").end()


@pytest.mark.parametrize("how", ["current", "with", "decorated", "decorated coroutine"])
def test_an_error_without_text_is_recorded_and_is_the_one_that_the_caller_sees(spans, how):
    def fail():
        raise OddError

    async def fail_later():
        raise OddError

    def run():
        if how == "current":
            with spans.tracer.start_as_current_span("work"):
                fail()
        elif how == "with":
            with spans.tracer.start_span("work"):
                fail()
        elif how == "decorated":
            spans.tracer.start_as_current_span("work")(fail)()
        else:
            asyncio.run(spans.tracer.start_as_current_span("work")(fail_later)())

    with pytest.raises(OddError):
        run()

    [event] = spans.only.events
    assert event.attributes["exception.message"] == "<OddError>"
    assert event.attributes["exception.type"].endswith("OddError")
    assert (spans.only.status.status_code, spans.only.status.description) == (
        StatusCode.ERROR,
        "OddError: <OddError>",
    )


def test_a_usual_span_is_as_the_sdk_makes_it(spans):
    with pytest.raises(ValueError, match="late"), spans.tracer.start_as_current_span("work", attributes={"a": "b"}):
        raise ValueError("late")

    found = spans.only
    assert (dict(found.attributes), found.status.description) == ({"a": "b"}, "ValueError: late")
    assert found.events[0].attributes["exception.escaped"] == "False"
    assert "ValueError: late" in found.events[0].attributes["exception.stacktrace"]
    assert not otlp_values.replaced


def test_the_flags_of_a_span_are_kept(spans):
    with (
        pytest.raises(ValueError, match="x"),
        spans.tracer.start_as_current_span(
            "work", record_exception=False, set_status_on_exception=False, end_on_exit=False
        ) as span,
    ):
        raise ValueError("x")
    assert span.is_recording()
    span.end()

    assert (spans.only.events, spans.only.status.status_code) == ((), StatusCode.UNSET)


def test_what_is_replaced_is_counted(spans):
    with spans.tracer.start_as_current_span("work") as span:
        span.set_attribute("odd", NoText())
        span.set_attribute("long", range(10**15))

    assert otlp_values.replaced == {("spans", "type"): 2}
    assert len(spans.only.attributes["long"]) == otlp_values.MAX_ITEMS + 1


class Failing(SimpleSpanProcessor):
    on_start = on_end = refuse


def test_a_processor_that_raises_costs_neither_the_span_nor_the_other_processors(caplog):
    exporter, provider = InMemorySpanExporter(), GuardedTracerProvider(Resource({}), NoOpMeterProvider())
    for processor in (Failing(exporter), SimpleSpanProcessor(exporter)):
        provider.add_span_processor(processor)

    for _ in range(2):
        provider.get_tracer("tests").start_span("work").end()

    assert len(exporter.get_finished_spans()) == 2
    assert len([record for record in caplog.records if "Failing" in record.getMessage()]) <= 2


def test_a_span_that_cannot_be_made_is_that_of_its_parent(spans):
    with spans.tracer.start_as_current_span("parent") as parent:
        odd = spans.tracer.start_span("odd", context=5)
        other = spans.tracer.start_span("odd", kind=NoText(), start_time=NoText())
        other.end(NoText())

    assert not odd.get_span_context().is_valid
    assert parent.get_span_context().is_valid


@pytest.mark.parametrize("make", [each for each, _ in VALUES.values()], ids=VALUES)
def test_no_value_of_the_baggage_raises_into_a_call(make):
    propagator = GuardedPropagator(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))
    context = trace.set_span_in_context(trace.NonRecordingSpan(CONTEXT), baggage.set_baggage("a", make()))
    headers = {}

    propagator.inject(headers, context)

    assert "traceparent" in headers


def test_a_carrier_that_raises_costs_no_request():
    propagator = GuardedPropagator(TraceContextTextMapPropagator())
    context = baggage.set_baggage("a", "b")

    propagator.inject(NoText(), context)

    assert propagator.extract(NoText(), context) is context
    assert propagator.extract(NoText()) == {}
    assert propagator.fields == {"traceparent", "tracestate"}
