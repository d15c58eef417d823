"""What protobuf refuses costs the one value, and not the batch: held against a real receiver, by both protocols."""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import NoOpCounter, NoOpMeterProvider
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.sdk import exporters, otlp_values
from telemetry.sdk.otlp_batches import Batches
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver

LONE = "a\ud800b"
REPAIRED = "a\ufffdb"
HUGE = 2**70
MAX = 2**63 - 1
NO_METERS = NoOpMeterProvider()
UNCOUNTED = NoOpCounter("dropped")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    otlp_values.replaced.clear()
    yield
    otlp_values.replaced.clear()


@pytest.fixture
def receiver(monkeypatch) -> Iterator[OtlpReceiver]:
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield receiver


@contextmanager
def tracing(resource=None):
    provider = TracerProvider(resource=resource or Resource({}), shutdown_on_exit=False)
    for processor in exporters.span_processors(NO_METERS, UNCOUNTED):
        provider.add_span_processor(processor)
    yield provider
    provider.shutdown()


def loops():
    endless = []
    endless.append(endless)
    return endless


def with_status(span):
    span.set_status(Status(StatusCode.ERROR, LONE))


ODD_SPANS = {
    "name": lambda tracer: tracer.start_span(LONE),
    "a name that is no text": lambda tracer: tracer.start_span(5),
    "status": lambda tracer: with_status(span := tracer.start_span("odd")) or span,
    "event": lambda tracer: (span := tracer.start_span("odd")).add_event(LONE) or span,
    "event's key": lambda tracer: (span := tracer.start_span("odd")).add_event("e", {LONE: LONE}) or span,
    "event's time": lambda tracer: (span := tracer.start_span("odd")).add_event("e", {}, 1.5) or span,
    "event's date": lambda tracer: (span := tracer.start_span("odd")).add_event("e", {}, datetime.now(UTC)) or span,
    "event of the past": lambda tracer: (span := tracer.start_span("odd")).add_event("e", {}, -1) or span,
    "seconds as a start": lambda tracer: tracer.start_span("odd", start_time=1_700_000_000.5),
    "a start that never comes": lambda tracer: tracer.start_span("odd", start_time=HUGE),
    "kind": lambda tracer: tracer.start_span("odd", kind="server"),
    "no kind": lambda tracer: tracer.start_span("odd", kind=None),
    "key": lambda tracer: tracer.start_span("odd", attributes={LONE: 1}),
    "value": lambda tracer: tracer.start_span("odd", attributes={"a": LONE}),
    "nested": lambda tracer: tracer.start_span(
        "odd", attributes={"a": {"b": [1, {LONE: [HUGE, None, b"\xff", LONE]}]}}
    ),
    "link": lambda tracer: tracer.start_span("odd", links=[Link(SpanContext(1, 1, True), {LONE: HUGE})]),
}


@pytest.mark.parametrize("odd", ODD_SPANS.values(), ids=ODD_SPANS)
def test_an_odd_span_arrives_with_its_batch(receiver, odd):
    with tracing() as provider:
        tracer = provider.get_tracer("tests")
        odd(tracer).end()
        tracer.start_span("usual").end()

    assert len(receiver.every_span()) == 2
    assert "usual" in receiver.spans()


@pytest.mark.parametrize(
    "scope", [(LONE,), (5,), ("s", LONE), ("s", 3), ("s", "1", LONE), ("s", "1", "", {LONE: LONE})]
)
def test_an_odd_scope_costs_no_span(receiver, scope):
    with tracing() as provider:
        provider.get_tracer(*scope).start_span("odd").end()
        provider.get_tracer("tests").start_span("usual").end()

    assert receiver.spans().keys() == {"odd", "usual"}


def test_the_bad_values_alone_are_replaced_and_counted(receiver):
    with tracing(Resource({"r": LONE, LONE: HUGE})) as provider:
        span = provider.get_tracer("tests").start_span(
            LONE, attributes={"text": LONE, "many": HUGE, "few": -HUGE, "ok": "ü"}
        )
        span.add_event("\ud83d\ude00")  # two halves of one character
        span.end()

    [found] = receiver.every_span()
    values = {pair.key: pair.value for pair in found.attributes}
    [request] = receiver.requests("/v1/traces")
    resource = {pair.key: pair.value for pair in request.resource_spans[0].resource.attributes}
    assert (found.name, found.events[0].name) == (REPAIRED, "\U0001f600")
    assert (values["text"].string_value, values["ok"].string_value) == (REPAIRED, "ü")
    assert (values["many"].int_value, values["few"].int_value) == (MAX, -(2**63))
    assert (resource["r"].string_value, resource[REPAIRED].int_value) == (REPAIRED, MAX)
    assert otlp_values.replaced == {("spans", "text"): 5, ("spans", "integer"): 3}


def test_two_keys_that_are_one_after_their_repair_stay_two(receiver):
    with tracing() as provider:
        attributes = {f"a{chr(number)}": number for number in (0xD800, 0xD801)}
        provider.get_tracer("tests").start_span("odd", attributes=attributes).end()

    [found] = receiver.every_span()
    assert {pair.key: pair.value.int_value for pair in found.attributes} == {
        "a\ufffd": 0xD800,
        "a\ufffd\ufffd": 0xD801,
    }


def test_a_usual_span_goes_out_as_the_same_object_and_a_repaired_one_keeps_what_its_limits_dropped(receiver):
    provider = TracerProvider(span_limits=SpanLimits(max_attributes=1), shutdown_on_exit=False)
    usual = provider.get_tracer("tests").start_span("usual", attributes={"a": "ü", "b": [1, None, {"c": b"d"}]})
    odd = provider.get_tracer("tests").start_span("odd", attributes={"a": 1, "b": LONE})
    usual.end()
    odd.end()

    kept, repaired = Batches("spans").spans([usual, odd])

    assert kept is usual
    assert (repaired.dropped_attributes, dict(repaired.attributes)) == (1, {"b": REPAIRED})
    assert repaired.context is odd.context


BODIES = {
    "text": LONE,
    "number": HUGE,
    "bytes": b"\xff\xfe",
    "buffer": bytearray(b"\xff"),
    "set": {1, LONE},
    "object": object(),
    "mixed": [1, "a", None, 2.5, True, {"b": LONE, 5: HUGE}],
    "not a number": [float("nan"), float("inf")],
    "endless": loops(),
    "deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["deep"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    "nothing": None,
}
RECORDS = {
    **{f"body: {name}": {"body": body} for name, body in BODIES.items()},
    "event name": {"event_name": LONE},
    "severity text": {"severity_text": LONE},
    "an event name that is no text": {"event_name": 5},
    "key": {"attributes": {LONE: LONE}},
    "value": {"attributes": {"a": {"b": [HUGE, LONE, None, object()]}}},
    "seconds": {"timestamp": 1.5},
    "date": {"timestamp": datetime.now(UTC)},
    "before 1970": {"timestamp": -1, "observed_timestamp": -1},
}


@pytest.mark.parametrize("odd", RECORDS.values(), ids=RECORDS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_odd_log_record_arrives_with_its_batch(receiver, odd):
    provider = LoggerProvider(Resource({}), shutdown_on_exit=False)
    for processor in exporters.log_processors(NO_METERS, UNCOUNTED):
        provider.add_log_record_processor(processor)
    logger = provider.get_logger("tests")
    logger.emit(LogRecord(**{"timestamp": 1, "severity_number": SeverityNumber.INFO, **odd}))
    logger.emit(LogRecord(timestamp=1, body="usual"))
    provider.shutdown()

    requests = receiver.requests("/v1/logs")
    scopes = [scope for request in requests for each in request.resource_logs for scope in each.scope_logs]
    assert sum(len(scope.log_records) for scope in scopes) == 2
    assert "usual" in receiver.logs()


@contextmanager
def measuring():
    provider = MeterProvider(exporters.metric_readers(), Resource({"r": LONE}), shutdown_on_exit=False)
    yield LimitedMeterProvider(provider).get_meter("tests\ud800")
    provider.shutdown()


def test_odd_metrics_arrive_with_their_batch(receiver):
    with measuring() as meter:
        counter = meter.create_counter("sum", description=LONE)
        for _ in range(4):
            counter.add(2**62, {LONE: LONE, "a": {"b": [HUGE]}})
        meter.create_histogram("durations").record(1.5, {"a": LONE, "n": HUGE})
        meter.create_gauge("level").set(3, {"b": b"\xff"})
        meter.create_counter("usual").add(7)

    found = receiver.metrics()
    assert found.keys() == {"sum", "durations", "level", "usual"}
    assert found["sum"].description == REPAIRED
    assert found["sum"].sum.data_points[0].as_double == 2.0**64
    assert found["usual"].sum.data_points[0].as_int == 7
    assert {pair.key for pair in found["sum"].sum.data_points[0].attributes} == {REPAIRED, "a"}
    assert receiver.requests("/v1/metrics")[0].resource_metrics[0].scope_metrics[0].scope.name == "tests\ufffd"


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.names = []

    def Export(self, request, context):  # noqa: N802  # gRPC's name
        scopes = [scope for each in request.resource_spans for scope in each.scope_spans]
        self.names += [span.name for scope in scopes for span in scope.spans]
        return ExportTraceServiceResponse()


def test_the_same_by_grpc(monkeypatch):
    server, traces = grpc.server(futures.ThreadPoolExecutor(1)), _Traces()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(traces, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with tracing() as provider:
        provider.get_tracer("tests").start_span(LONE).end()
        provider.get_tracer("tests").start_span("usual").end()
    server.stop(None).wait(10)

    assert traces.names == [REPAIRED, "usual"]
