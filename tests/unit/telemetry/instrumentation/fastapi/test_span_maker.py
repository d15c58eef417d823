"""A span that is made here reads as that of the tracers of the telemetry, whatever is done with it, and for whoever reads it."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, use_span

from telemetry.instrumentation.fastapi.span_maker import RequestSpan, SpanMaker, describe
from telemetry.sdk.guarded_spans import GuardedSpan

CONTEXT = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, False, TraceFlags(3))
CALLER = SpanContext(CONTEXT.trace_id, 7, True, TraceFlags(3))
ATTRIBUTES = {"http.request.method": "GET", "url.path": "/x", "server.port": 80}
OUTCOME = {"http.route": "/x/{id}", "http.response.status_code": 200}


class Watching(SpanProcessor):
    """Keeps what a processor is told of a span, as it is at that time."""

    def __init__(self):
        self.seen = []

    def on_start(self, span, parent_context=None):
        self.seen.append(("started", isinstance(span, Span), as_read(span), parent_context))

    def _on_ending(self, span):
        self.seen.append(("ending", isinstance(span, Span), as_read(span), span.is_recording()))

    def on_end(self, span):
        self.seen.append(("ended", isinstance(span, ReadableSpan), as_read(span)))


def as_read(span):
    """All that can be read of a span, without its times that nobody gave."""
    read = json.loads(span.to_json())
    del read["start_time"]
    events = [(each.name, dict(each.attributes), each.dropped_attributes) for each in span.events]
    links = [(each.context, dict(each.attributes), each.dropped_attributes) for each in span.links]
    dropped = span.dropped_attributes, span.dropped_events, span.dropped_links
    parts = span.name, span.kind, span.context, span.get_span_context(), span.parent, dict(span.attributes)
    more = span.status.status_code, span.status.description, span.resource, span.instrumentation_scope
    return read | {"events": None, "end_time": None}, events, links, dropped, parts, more


def pair(limits=None, caller=None):
    """The same span, made by the SDK and made here, with what their processors have seen."""
    provider = TracerProvider(resource=Resource({"service.name": "t"}), span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(watching := Watching())
    tracer = provider.get_tracer("tests", "1", "https://example.org/schema")
    theirs = sdk._Span(
        "GET",
        CONTEXT,
        caller,
        sampler=tracer.sampler,
        resource=tracer.resource,
        attributes=ATTRIBUTES,
        kind=SpanKind.SERVER,
        span_processor=tracer.span_processor,
        instrumentation_info=tracer.instrumentation_info,
        limits=tracer._span_limits,
        instrumentation_scope=tracer._instrumentation_scope,
    )
    theirs.__class__ = GuardedSpan  # as the provider of the telemetry makes of each
    theirs.start(parent_context=Context({"a": 1}))
    seen_of_theirs, watching.seen = watching.seen, []
    ours = SpanMaker.find(tracer).start("GET", CONTEXT, Context({"a": 1}), caller, dict(ATTRIBUTES))
    return (theirs, seen_of_theirs, watching), (ours, watching.seen, watching)


def raised(span):
    """Somebody's code fails within the span, which then does not end."""
    with pytest.raises(ValueError, match="broken"), use_span(span, end_on_exit=False, record_exception=False):
        raise ValueError("broken")


def failed(span):
    with pytest.raises(ValueError, match="broken"), span:
        raise ValueError("broken")


class Odd:
    __slots__ = ()

    def __repr__(self):
        return "odd"


LINK = SpanContext(1, 2, True)
OPERATIONS = {
    "nothing": [],
    "attribute": [lambda span: span.set_attribute("own", "1")],
    "the same attribute": [lambda span: span.set_attribute("url.path", "/y"), lambda span: describe(span, "n", {})],
    "the route": [lambda span: span.set_attribute("http.route", "/other")],
    "attributes": [lambda span: span.set_attributes({"a": [1, 2], "b": {"c": "d"}, "e": None})],
    "odd attributes": [lambda span: span.set_attributes({"": 1, 3: 4, "odd": Odd(), "list": [Odd(), "x"]})],
    "odd attribute": [lambda span: span.set_attribute("", 1), lambda span: span.set_attribute(None, 1)],
    "mutable value": [lambda span: span.set_attribute("list", [1])],
    "many attributes": [lambda span: span.set_attributes({f"a{i}": i for i in range(140)})],
    "one by one": [lambda span, i=i: span.set_attribute(f"a{i}", i) for i in range(140)],
    "long value": [lambda span: span.set_attribute("long", "x" * 10_000)],
    "event": [lambda span: span.add_event("event", {"a": 1, "b": [2]}, 5), lambda span: span.add_event("other")],
    "odd event": [lambda span: span.add_event("event", {"": 1, "odd": Odd()})],
    "many events": [
        lambda span, i=i: span.add_event(f"e{i}", {f"a{j}": j for j in range(i if i > 137 else i % 3)})
        for i in range(140)
    ],
    "exception": [lambda span: span.record_exception(ValueError("broken"), {"more": 1}, 5)],
    "escaped exception": [lambda span: span.record_exception(KeyError("k"), escaped=True)],
    "changes while it is read": [lambda span: [span.set_attribute(f"{key}.too", 1) for key in span.attributes]],
    "is read as it is": [lambda span: (read := span.attributes, span.set_attribute("own", 1), read["own"])],
    "link": [lambda span: span.add_link(LINK, {"a": 1}), lambda span: span.add_link(SpanContext(0, 0, False))],
    "many links": [lambda span: span.add_link(LINK, {"a": 1})] * 140,
    "name": [lambda span: span.update_name("other")],
    "error": [lambda span: span.set_status(StatusCode.ERROR, "failed")],
    "error as a status": [lambda span: span.set_status(Status(StatusCode.ERROR, "failed"), "ignored")],
    "ok, then an error": [lambda span: span.set_status(StatusCode.OK), lambda span: span.set_status(StatusCode.ERROR)],
    "no status": [lambda span: span.set_status(StatusCode.UNSET), lambda span: span.set_status(Status())],
    "fails inside": [raised],
    "ends by failing": [failed],
    "started again": [lambda span: span.start(9)],
    "ended by somebody": [lambda span: span.end(7)],
}
LIMITS = {
    "usual": None,
    "few": SpanLimits(max_span_attributes=16, max_events=2, max_links=1, max_event_attributes=1, max_link_attributes=0),
    "none": SpanLimits(max_span_attributes=SpanLimits.UNSET, max_events=SpanLimits.UNSET, max_links=SpanLimits.UNSET),
    "short": SpanLimits(max_attribute_length=5, max_span_attribute_length=SpanLimits.UNSET),
}


def at_the_end(span, operations, caplog):
    """What a span reads as when all has been done, and also the end; what is done after that is refused."""
    caplog.clear()
    for operate in operations:
        operate(span)
    (RequestSpan.describe if isinstance(span, RequestSpan) else describe)(span, "GET /x/{id}", OUTCOME)
    span.end(9)
    once = as_read(span)
    for refused in (*operations, lambda each: each.end(11)):
        refused(span)
    return once, as_read(span), span.is_recording(), [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_done_with_a_span_it_reads_as_the_sdks(name, limits, caplog):
    ended = []
    for span, seen, watching in pair(LIMITS[limits], CALLER):
        watching.seen = seen
        ended.append((at_the_end(span, OPERATIONS[name], caplog), seen))

    assert ended[1] == ended[0]


def ended(*processors):
    """A provider with these processors, and the spans that it exports."""
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    for processor in (*processors, SimpleSpanProcessor(exporter)):
        provider.add_span_processor(processor)
    maker = SpanMaker.find(provider.get_tracer("tests"))
    span = maker.start("GET", CONTEXT, Context(), None, dict(ATTRIBUTES))
    span.describe("GET /x/{id}", OUTCOME)
    span.end(9)
    return span, exporter.get_finished_spans()


def test_nothing_is_made_for_a_span_that_nobody_touches(monkeypatch):
    made = []
    maker = SpanMaker.find(TracerProvider(shutdown_on_exit=False).get_tracer("tests"))
    for kind in (BoundedAttributes, BoundedList, ReadableSpan):  # what the SDK makes for a span
        monkeypatch.setattr(kind, "__init__", lambda self, *_, **__: made.append(type(self)))

    span = maker.start("GET", CONTEXT, Context(), None, dict(ATTRIBUTES))
    span.describe("GET /x/{id}", OUTCOME)
    span.end()

    assert made == []
    assert dict(span.attributes) == ATTRIBUTES | OUTCOME


def test_a_span_has_the_times_that_it_is_given():
    span, exported = ended()

    assert exported == (span,)
    assert (span.end_time, span.start_time > span.end_time, span.is_recording()) == (9, True, False)


def test_what_a_processor_puts_in_the_place_of_a_part_is_exported():
    """Many redact like that, though the names are private."""

    class Redacting(SpanProcessor):
        def on_end(self, span):
            span._attributes, span._events, span._links = {"url.path": "***"}, ("e",), ("l",)
            span._name, span._status = "redacted", Status(StatusCode.ERROR)

    _, [span] = ended(Redacting())

    assert (dict(span.attributes), span.events, span.links) == ({"url.path": "***"}, ("e",), ("l",))
    assert (span.name, span.status.status_code) == ("redacted", StatusCode.ERROR)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_processor_can_copy_a_span_and_change_the_copy(copied):
    span, _ = ended()

    other = copied(span)
    before = as_read(other)
    other._attributes = {"url.path": "***"}

    assert before == as_read(span)
    assert isinstance(other, ReadableSpan)
    assert dict(other.attributes) == {"url.path": "***"}
    assert dict(span.attributes) == ATTRIBUTES | OUTCOME


def test_threads_that_read_and_fill_a_span_at_once_lose_nothing():
    (_, _, _), (span, _, _) = pair(SpanLimits(max_events=SpanLimits.UNSET))

    def fill(number):
        span.add_event(f"e{number}", {"a": number})
        span.set_attribute(f"a{number}", number)
        return as_read(span), dict(span.attributes)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fill, range(100)))

    assert {each.name for each in span.events} == {f"e{number}" for number in range(100)}
    assert {f"a{number}" for number in range(100)} <= set(span.attributes)


def test_of_threads_that_end_a_span_at_once_one_does():
    (_, _, _), (span, seen, _) = pair()
    seen.clear()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(span.end, range(1, 100)))

    assert [told for told, *_ in seen] == ["ending", "ended"]


@pytest.mark.parametrize(
    "limits",
    [SpanLimits(max_span_attributes=15), SpanLimits(max_span_attribute_length=9), SpanLimits(max_attributes=0)],
)
def test_with_limits_that_attributes_may_exceed_the_sdk_makes_the_spans(limits):
    assert SpanMaker.find(TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("t")) is None


class Renamed(sdk._Span):
    """A span of the next SDK: a field has another name."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._title = self._name


class MoreCalls(sdk._Span):
    """A span of the next SDK: processors have a further method."""

    def start(self, *arguments, **named):
        super().start(*arguments, **named)
        self._span_processor.on_started(self)


class OtherEnd(sdk._Span):
    """A span of the next SDK: its end adds an attribute."""

    def end(self, end_time=None):
        self.set_attribute("ended.at", end_time)
        super().end(end_time)


@pytest.mark.parametrize("next_one", [Renamed, MoreCalls, OtherEnd, None])
def test_where_the_sdks_span_is_another_one_the_sdk_makes_the_spans(next_one, monkeypatch):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    assert SpanMaker.find(tracer) is not None

    monkeypatch.setattr(sdk, "_Span", next_one)

    assert SpanMaker.find(tracer) is None
