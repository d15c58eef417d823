"""OTLP: the exporters that the standard `OTEL_*` variables ask for, and none that they don't.

A signal is exported when `OTEL_EXPORTER_OTLP_ENDPOINT` or its own `OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT` is set, or when
`OTEL_<SIGNAL>_EXPORTER` names `otlp` (or `console`); `none` switches it off. Without a protocol it is `http/protobuf`, as the
specification asks, but `grpc` for port 4317, which is gRPC's. Everything else is read by the exporters themselves.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

from telemetry.redaction.exporters import RedactingLogExporter, RedactingSpanExporter
from telemetry.sdk.env_defaults import default_variables
from telemetry.settings import SettingsError, without_password

Signal = Literal["TRACES", "METRICS", "LOGS"]
SIGNALS: Final[tuple[Signal, ...]] = ("TRACES", "METRICS", "LOGS")
PROTOCOLS: Final = ("grpc", "http/protobuf")
EXPORTERS: Final = frozenset({"otlp", "console", "none", "prometheus"})
_GRPC_PORT: Final = 4317


def exporters(signal: Signal, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The exporters that the environment names for a signal, of `otlp` and `console`.

    Raises:
        SettingsError: the environment names one that there isn't.
    """
    variable = f"OTEL_{signal}_EXPORTER"
    if named := environment.get(variable, "").strip():
        wanted = [name.strip() for name in named.split(",")]
        if not EXPORTERS.issuperset(wanted):
            raise SettingsError(f"{variable} is {named!r}, but must be one or more of {', '.join(sorted(EXPORTERS))}.")
        return [name for name in wanted if name in {"otlp", "console"}]
    return ["otlp"] if endpoint(signal, environment) else []


def endpoint(signal: Signal, environment: Mapping[str, str] = os.environ) -> str:
    return _configured(signal, "ENDPOINT", environment)[1]


def protocol(signal: Signal, environment: Mapping[str, str] = os.environ) -> str:
    """`grpc` or `http/protobuf`.

    Raises:
        SettingsError: the environment names another one, or an endpoint that it cannot reach.
    """
    variable, named = _configured(signal, "PROTOCOL", environment)
    if named and named not in PROTOCOLS:
        raise SettingsError(f"{variable} is {named!r}, but must be one of {', '.join(PROTOCOLS)}.")
    variable, url = _configured(signal, "ENDPOINT", environment)
    wanted = named or ("grpc" if _port(variable, url) == _GRPC_PORT else "http/protobuf")
    if wanted != "grpc" and url and not url.startswith(("http://", "https://")):
        raise _not_a_url(variable, url)
    return wanted


def _configured(signal: Signal, what: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that says it, the signal's own before the shared one, and what it says."""
    own, shared = f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"
    name = own if environment.get(own, "").strip() else shared
    return name, environment.get(name, "").strip()


def _port(variable: str, url: str) -> int | None:
    try:
        return urlsplit(url if "//" in url else f"//{url}").port
    except ValueError:
        raise _not_a_url(variable, url) from None


def _not_a_url(variable: str, url: str) -> SettingsError:
    return SettingsError(f"{variable} is {without_password(url)!r}, but must be a URL such as http://127.0.0.1:4318.")


def _internal_metrics() -> AbstractContextManager[None]:
    """The SDK counts what its queues hold and drop only when this variable is set as they are made.

    It is taken back, since it would also put two instruments in the path of every span.
    """
    return default_variables(**{OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED: "true"})


def check_configuration() -> None:
    """Raises:
    SettingsError: the variables ask for what there is not. Better known before anything is built.
    """
    for signal in SIGNALS:
        if "otlp" in exporters(signal):
            protocol(signal)


def span_processors(meters: MeterProvider) -> list[SpanProcessor]:
    def otlp() -> SpanProcessor:
        exporter = _exporter("TRACES", "trace_exporter", "OTLPSpanExporter")
        return BatchSpanProcessor(RedactingSpanExporter(exporter(meter_provider=meters)), meter_provider=meters)

    return _create("TRACES", otlp, lambda: SimpleSpanProcessor(RedactingSpanExporter(ConsoleSpanExporter())))


def log_processors(meters: MeterProvider) -> list[LogRecordProcessor]:
    def otlp() -> LogRecordProcessor:
        exporter = _exporter("LOGS", "_log_exporter", "OTLPLogExporter")
        return BatchLogRecordProcessor(RedactingLogExporter(exporter(meter_provider=meters)), meter_provider=meters)

    return _create("LOGS", otlp, lambda: SimpleLogRecordProcessor(RedactingLogExporter(ConsoleLogRecordExporter())))


def metric_readers() -> list[MetricReader]:
    def otlp() -> MetricReader:
        return PeriodicExportingMetricReader(_exporter("METRICS", "metric_exporter", "OTLPMetricExporter")())

    return _create("METRICS", otlp, lambda: PeriodicExportingMetricReader(ConsoleMetricExporter()))


def _create(signal: Signal, otlp: Callable[[], Any], console: Callable[[], Any]) -> list[Any]:
    make = {"otlp": otlp, "console": console}
    try:
        with _internal_metrics():
            return [make[name]() for name in exporters(signal)]
    except SettingsError:
        raise
    except Exception as error:  # what the SDK raises for a wrong variable has no type of its own
        raise SettingsError(f"The exporter of {signal.lower()} does not take its OTEL_* variables: {error}") from error


def _exporter(signal: Signal, module: str, name: str) -> Any:
    """Imported when it is asked for: gRPC alone takes a fifth of a second."""
    transport = "grpc" if protocol(signal) == "grpc" else "http"
    path = f"opentelemetry.exporter.otlp.proto.{transport}.{module}"
    return getattr(__import__(path, fromlist=[name]), name)
