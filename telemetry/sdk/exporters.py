"""Creates the exporters that the standard `OTEL_*` variables select.

A signal is exported if `OTEL_EXPORTER_OTLP_ENDPOINT` or its own `OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT` is set, or if
`OTEL_<SIGNAL>_EXPORTER` names `otlp` (or `console`); `none` switches it off. The default protocol is `http/protobuf`, as the
specification requires, but `grpc` for port 4317, which is gRPC's. The exporters read all other variables themselves.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from opentelemetry.metrics import Counter, MeterProvider
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
    SpanExportResult,
)

from telemetry import semconv
from telemetry.compatibility.unstable_api import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExportResult,
    LogRecordProcessor,
    ReadableLogRecord,
    SimpleLogRecordProcessor,
)
from telemetry.environment import otel_variables
from telemetry.environment.otel_checks import configured, protocol
from telemetry.environment.otel_variables import Signal
from telemetry.environment.proxies import exempt_loopback, proxy_for
from telemetry.redaction.exporters import RedactingLogExporter, RedactingSpanExporter
from telemetry.redaction.shown_settings import redact_start_error
from telemetry.redaction.wrong_variables import check_opentelemetry
from telemetry.sdk.env_defaults import default_variables
from telemetry.sdk.export_backlog import BacklogKind, ExportBacklog
from telemetry.sdk.otlp_batches import with_prepared_batches
from telemetry.settings import SettingsError

SIGNALS: Final = otel_variables.SIGNALS
_LOG_EXPORTERS: Final = "_log_exporter"
_BYTES_OF_ITEM: Final = 512
"""What an item has beside its texts, roughly."""


def exporter_names(signal: Signal, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The selected exporters of a signal: `otlp`, `console`, both or none."""
    if named := environment.get(f"OTEL_{signal}_EXPORTER", "").strip():
        return [name for each in named.split(",") if (name := each.strip()) in {"otlp", "console"}]
    return ["otlp"] if endpoint(signal, environment) else []


def endpoint(signal: Signal, environment: Mapping[str, str] = os.environ) -> str:
    """The configured endpoint; "" if there is none."""
    return configured(signal, "ENDPOINT", environment)[1]


def _internal_metrics() -> AbstractContextManager[None]:
    """Make the SDK count what its queues hold and drop: it does so only if this variable is set when they are created.

    It is restored afterwards, since it would also add two instruments to the path of every span.
    """
    return default_variables(**{OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED: "true"})


def check_configuration() -> None:
    """Check the variables before anything is created.

    Raises:
        SettingsError: a variable of OpenTelemetry is wrong, or the proxy of an endpoint cannot be used.
    """
    check_opentelemetry()
    exempt_loopback()
    for signal in SIGNALS:
        if "otlp" in exporter_names(signal) and protocol(signal) != "grpc":
            proxy_for(endpoint(signal), socks_package="socks")


def span_processors(meters: MeterProvider, dropped: Counter) -> list[SpanProcessor]:
    """Processors with the selected span exporters. `dropped` counts what an endpoint did not accept for too long.

    Raises:
        SettingsError: an exporter refuses its variables.
    """
    kind = BacklogKind("spans", SpanExportResult.SUCCESS, _bytes_of_span, _count(dropped, "spans"))

    def otlp() -> SpanProcessor:
        exporter = _exporter_class("TRACES", "trace_exporter", "OTLPSpanExporter")
        backlog: Any = ExportBacklog(exporter(meter_provider=meters), kind)
        return BatchSpanProcessor(RedactingSpanExporter(backlog), meter_provider=meters)

    return _create("TRACES", otlp, lambda: SimpleSpanProcessor(RedactingSpanExporter(ConsoleSpanExporter())))


def log_processors(meters: MeterProvider, dropped: Counter) -> list[LogRecordProcessor]:
    """As `span_processors`, with the selected log exporters."""
    kind = BacklogKind("logs", LogRecordExportResult.SUCCESS, _bytes_of_record, _count(dropped, "logs"))

    def otlp() -> LogRecordProcessor:
        exporter = _exporter_class("LOGS", _LOG_EXPORTERS, "OTLPLogExporter")
        backlog: Any = ExportBacklog(exporter(meter_provider=meters), kind)
        return BatchLogRecordProcessor(RedactingLogExporter(backlog), meter_provider=meters)

    return _create("LOGS", otlp, lambda: SimpleLogRecordProcessor(RedactingLogExporter(ConsoleLogRecordExporter())))


def metric_readers() -> list[MetricReader]:
    """Readers with the selected metric exporters. Raises SettingsError if an exporter refuses its variables."""

    def otlp() -> MetricReader:
        return PeriodicExportingMetricReader(_exporter_class("METRICS", "metric_exporter", "OTLPMetricExporter")())

    return _create("METRICS", otlp, lambda: PeriodicExportingMetricReader(ConsoleMetricExporter()))


def _count(dropped: Counter, queue: str) -> Callable[[int, str], None]:
    return lambda number, reason: dropped.add(number, {semconv.QUEUE: queue, semconv.REASON: reason})


def _bytes_of_span(span: ReadableSpan) -> int:
    events = sum(_BYTES_OF_ITEM + len(repr(dict(event.attributes or {}))) for event in span.events)
    return _BYTES_OF_ITEM + len(repr(dict(span.attributes or {}))) + events


def _bytes_of_record(readable: ReadableLogRecord) -> int:
    record = readable.log_record
    return _BYTES_OF_ITEM + len(repr(record.body)) + len(repr(dict(record.attributes or {})))


def _create(signal: Signal, otlp: Callable[[], Any], console: Callable[[], Any]) -> list[Any]:
    make = {"otlp": otlp, "console": console}
    try:
        with _internal_metrics():
            return [make[name]() for name in exporter_names(signal)]
    except SettingsError:
        raise
    except Exception as error:  # noqa: BLE001  # the SDK has no exception type for an invalid variable
        values = [value for name, value in os.environ.items() if name.startswith("OTEL_")]
        reason = redact_start_error(str(error), values)
        raise SettingsError(f"The exporter of {signal.lower()} does not take its OTEL_* variables: {reason}") from None


def _exporter_class(signal: Signal, module: str, name: str) -> Any:
    """Import an exporter class when it is needed: gRPC alone takes 0.2 s."""
    package = f"opentelemetry.exporter.otlp.proto.{'grpc' if protocol(signal) == 'grpc' else 'http'}"
    if find_spec(f"{package}.{module}") is None:
        module = module.lstrip("_")  # a version in which it is stable
    exporter = with_prepared_batches(getattr(import_module(f"{package}.{module}"), name), signal)
    if protocol(signal) == "grpc" and configured(signal, "COMPRESSION")[1].lower() == "none":
        # The variable of gRPC may be anything but `none`, which the specification has.
        return partial(exporter, compression=import_module("grpc").Compression.NoCompression)
    return exporter
