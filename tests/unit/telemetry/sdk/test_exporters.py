import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.metrics import NoOpCounter, NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from telemetry.sdk import exporters
from telemetry.sdk.env_defaults import sdk_variables
from telemetry.settings import SettingsError

HTTP, GRPC = "http://127.0.0.1:4318", "http://127.0.0.1:4317"
INTERNAL = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
NO_METERS = NoOpMeterProvider()
UNCOUNTED = NoOpCounter("dropped")


@pytest.fixture
def environment(monkeypatch):
    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def made():
    """Creates the exporters of all signals, and shuts them down afterwards."""
    everything = []

    def make():
        for some in (
            exporters.span_processors(NO_METERS, UNCOUNTED),
            exporters.log_processors(NO_METERS, UNCOUNTED),
            exporters.metric_readers(),
        ):
            everything.extend(some)
        return [type(each).__name__ for each in everything]

    yield make
    for each in everything:
        if hasattr(each, "_set_collect_callback"):
            each._set_collect_callback(lambda *_arguments, **_named: None)
        each.shutdown()


ASKED = [
    ({}, {}),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": HTTP}, {"TRACES": ["otlp"], "METRICS": ["otlp"], "LOGS": ["otlp"]}),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HTTP}, {"TRACES": ["otlp"]}),
    ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": HTTP}, {"METRICS": ["otlp"]}),
    ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": HTTP}, {"LOGS": ["otlp"]}),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {}),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}, {}),
    ({"OTEL_TRACES_EXPORTER": "otlp"}, {"TRACES": ["otlp"]}),
    ({"OTEL_TRACES_EXPORTER": "console"}, {"TRACES": ["console"]}),
    ({"OTEL_METRICS_EXPORTER": "otlp, console"}, {"METRICS": ["otlp", "console"]}),
    ({"OTEL_METRICS_EXPORTER": "prometheus"}, {}),
    ({"OTEL_METRICS_EXPORTER": "prometheus,otlp"}, {"METRICS": ["otlp"]}),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": HTTP, "OTEL_LOGS_EXPORTER": "none"}, {"TRACES": ["otlp"], "METRICS": ["otlp"]}),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": HTTP, "OTEL_LOGS_EXPORTER": "  "},
        {"TRACES": ["otlp"], "METRICS": ["otlp"], "LOGS": ["otlp"]},
    ),
    ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, {}),
    ({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret"}, {}),
]


@pytest.mark.parametrize(("environment", "asked"), ASKED)
def test_a_signal_is_exported_if_and_only_if_a_variable_selects_it(environment, asked):
    found = {signal: exporters.exporter_names(signal, environment) for signal in exporters.SIGNALS}

    assert {signal: names for signal, names in found.items() if names} == asked


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HTTP}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://otlp.example/path"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": GRPC}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "[::1]:4317"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HTTP, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:14317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": GRPC, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": GRPC, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HTTP}, "http/protobuf"),
    ],
)
def test_the_protocol_is_the_one_that_is_named_or_that_of_the_port(environment, protocol):
    assert exporters.protocol("TRACES", environment) == protocol


@pytest.mark.parametrize("signal", exporters.SIGNALS)
def test_what_is_wrong_with_any_signal_is_known_before_anything_is_made(environment, signal):
    environment(**{f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT": "collector:4318"})

    with pytest.raises(SettingsError, match=f"^OTEL_EXPORTER_OTLP_{signal}_ENDPOINT is 'collector:4318', but must be"):
        exporters.check_configuration()


def test_a_proxy_that_requests_cannot_use_is_known_before_anything_is_made(environment):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.example:4318", ALL_PROXY="socks4://proxy:1080")

    with pytest.raises(SettingsError, match=r"^ALL_PROXY is socks4://proxy:1080, but must be a URL"):
        exporters.check_configuration()


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_BSP_MAX_QUEUE_SIZE": "10"},
        {"OTEL_BSP_SCHEDULE_DELAY": "-1"},
        {"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "99999"},
        {"OTEL_METRIC_EXPORT_INTERVAL": "0"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "zmq"},
        {"OTEL_LOGS_EXPORTER": "jaeger"},
        {"OTEL_LOGS_EXPORTER": "otlp,jaeger"},
        {"OTEL_LOGS_EXPORTER": "OTLP"},
        {"OTEL_LOGS_EXPORTER": "otlp,"},
    ],
    ids=str,
)
def test_a_wrong_variable_is_known_before_anything_is_made_whether_it_is_used_or_not(environment, variables):
    environment(**variables)

    with pytest.raises(SettingsError, match=f"^{next(iter(variables))} is .*, but must be "):
        exporters.check_configuration()


@pytest.mark.parametrize("url", [HTTP, GRPC])
@pytest.mark.parametrize("compression", ["none", "NONE", "gzip", " "])
def test_every_compression_of_the_specification_is_taken_by_either_protocol(environment, made, url, compression):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_COMPRESSION=compression)

    with sdk_variables():
        assert len(made()) == 3


def test_without_variables_there_are_no_exporters(made):
    assert made() == []


@pytest.mark.parametrize("url", [HTTP, GRPC])
def test_every_signal_has_an_exporter_for_either_protocol(environment, made, url):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=url)

    assert made() == ["BatchSpanProcessor", "BatchLogRecordProcessor", "PeriodicExportingMetricReader"]


@pytest.mark.parametrize(("url", "kind"), [(HTTP, HttpSpanExporter), (GRPC, GrpcSpanExporter)])
def test_the_exporter_speaks_the_protocol(environment, url, kind):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=url)

    [processor] = exporters.span_processors(NO_METERS, UNCOUNTED)

    assert isinstance(processor.span_exporter._inner._inner, kind)
    processor.shutdown()


def test_the_console_is_an_exporter(environment, made):
    environment(OTEL_TRACES_EXPORTER="console", OTEL_LOGS_EXPORTER="console", OTEL_METRICS_EXPORTER="console")

    assert made() == ["SimpleSpanProcessor", "SimpleLogRecordProcessor", "PeriodicExportingMetricReader"]


def test_the_variable_of_the_internal_metrics_is_taken_back(environment, made):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=HTTP)

    made()

    assert INTERNAL not in os.environ


def test_the_variable_of_the_internal_metrics_is_taken_back_after_a_failure(environment, made):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=HTTP, OTEL_METRIC_EXPORT_INTERVAL="0")

    with pytest.raises(SettingsError):
        made()

    assert INTERNAL not in os.environ


@pytest.mark.parametrize("said", ["true", "false"])
def test_the_users_value_for_the_internal_metrics_is_kept(environment, made, said):
    environment(OTEL_EXPORTER_OTLP_ENDPOINT=HTTP, **{INTERNAL: said})

    made()

    assert os.environ[INTERNAL] == said


class Collector(ThreadingHTTPServer):
    """A collector that only receives."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.received = []


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self):  # the name that http.server looks for
        self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.path, self.headers.get("authorization")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        """Log nothing."""


@pytest.fixture
def collector():
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield collector
        collector.shutdown()
        thread.join(5)


def test_all_three_signals_arrive_and_the_queues_are_measured(environment, collector):
    environment(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc",
    )
    reader = FamilyReader()
    sdk = MeterProvider([reader, *exporters.metric_readers()], shutdown_on_exit=False)
    meters = LimitedMeterProvider(sdk)
    tracers, loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    for processor in exporters.span_processors(meters, UNCOUNTED):
        tracers.add_span_processor(processor)
    for processor in exporters.log_processors(meters, UNCOUNTED):
        loggers.add_log_record_processor(processor)

    tracers.get_tracer("tests").start_span("one").end()
    loggers.get_logger("tests").emit(body="two")
    for provider in (tracers, loggers, sdk):
        provider.force_flush()
    text = MetricsPage(reader.collect_own).render()[0].decode()
    for provider in (tracers, loggers, sdk):
        provider.shutdown()

    assert {("/v1/traces", "Bearer abc"), ("/v1/logs", "Bearer abc"), ("/v1/metrics", "Bearer abc")} == set(
        collector.received
    )
    assert 'telemetry_exported_total{queue="spans"} 1' in text
    assert 'telemetry_exported_total{queue="logs"} 1' in text
    assert 'telemetry_queue_size{queue="spans"} 0' in text
    assert 'telemetry_queue_capacity{queue="logs"} 2048' in text
