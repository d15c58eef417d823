"""The table of OpenTelemetry's variables: every one that the SDK, its exporters, its propagators and this telemetry read.

A row says what a variable may be. A variable that is blank is unset, as the specification says.
"""

import os
from collections.abc import Mapping
from typing import Final, Literal

from telemetry.environment import otel_values as of
from telemetry.environment.otel_components import component, components, propagators

Signal = Literal["TRACES", "METRICS", "LOGS"]
SIGNALS: Final[tuple[Signal, ...]] = ("TRACES", "METRICS", "LOGS")
PROTOCOLS: Final = ("grpc", "http/protobuf")
EXPORTERS: Final = ("console", "none", "otlp", "prometheus")
_LIMITS: Final = (
    *(f"OTEL_{whose}ATTRIBUTE_COUNT_LIMIT" for whose in ("", "SPAN_", "EVENT_", "LINK_", "LOGRECORD_")),
    *(f"OTEL_{whose}ATTRIBUTE_VALUE_LENGTH_LIMIT" for whose in ("", "SPAN_", "LOGRECORD_")),
    *("OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT"),
)
_BOOLEANS: Final = (
    "OTEL_SDK_DISABLED",
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED",
    *(f"OTEL_PYTHON_LOG_{what}" for what in ("CORRELATION", "CODE_ATTRIBUTES", "AUTO_INSTRUMENTATION")),
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED",
)
_PATTERNS: Final = (
    *("OTEL_PYTHON_EXCLUDED_URLS", "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_HTTPX_EXCLUDED_URLS"),
    *(
        f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_{what}"
        for what in ("SANITIZE_FIELDS", "SERVER_REQUEST", "SERVER_RESPONSE", "CLIENT_REQUEST", "CLIENT_RESPONSE")
    ),
)
_STATUSES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED"),
    *("OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
)
_WHOLE: Final = ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY")
_OTLP: Final[Mapping[str, of.ValueKind]] = {
    "PROTOCOL": of.choice(*PROTOCOLS),
    "COMPRESSION": of.choice("gzip", "deflate", "none"),
    "TIMEOUT": of.number("seconds"),
    "HEADERS": of.headers(),
    "CERTIFICATE": of.certificates(),
    "CLIENT_CERTIFICATE": of.certificates(),
    "CLIENT_KEY": of.private_key(),
    "INSECURE": of.boolean(),
    "ENDPOINT": of.endpoint(),
}
_PROVIDER: Final = component("opentelemetry_otlp_credential_provider")
_CONFIG_FILE: Final = of.unsupported("this telemetry reads no configuration file, but the OTEL_* variables")
_NO_CONFIGURATOR: Final = of.unsupported("this telemetry configures its providers itself")
VARIABLES: Final[Mapping[str, of.ValueKind]] = {
    "OTEL_PROPAGATORS": propagators(),
    "OTEL_PYTHON_CONTEXT": component("opentelemetry_context"),
    "OTEL_PYTHON_TRACER_PROVIDER": component("opentelemetry_tracer_provider"),
    "OTEL_PYTHON_METER_PROVIDER": component("opentelemetry_meter_provider"),
    "OTEL_PYTHON_LOGGER_PROVIDER": component("opentelemetry_logger_provider"),
    "OTEL_PYTHON_ID_GENERATOR": of.choice("random"),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": components("opentelemetry_resource_detector", "*"),
    "OTEL_RESOURCE_ATTRIBUTES": of.attributes(),
    "OTEL_CONFIG_FILE": _CONFIG_FILE,
    "OTEL_EXPERIMENTAL_CONFIG_FILE": _CONFIG_FILE,
    **{f"OTEL_PYTHON_{what}_CONFIGURATOR": _NO_CONFIGURATOR for what in ("TRACER", "METER", "LOGGER")},
    **dict.fromkeys(_BOOLEANS, of.boolean()),
    **dict.fromkeys(_LIMITS, of.whole(0)),
    **dict.fromkeys(_PATTERNS, of.patterns()),
    **{f"OTEL_{signal}_EXPORTER": of.choices(*EXPORTERS, exact=True) for signal in SIGNALS},
    **{f"OTEL_{queue}_{what}": of.whole(1) for queue in ("BSP", "BLRP") for what in _WHOLE},
    **{f"OTEL_{queue}_EXPORT_TIMEOUT": of.whole(0) for queue in ("BSP", "BLRP")},
    "OTEL_METRIC_EXPORT_INTERVAL": of.number("milliseconds"),
    "OTEL_METRIC_EXPORT_TIMEOUT": of.number("milliseconds", zero=True),
    "OTEL_METRICS_EXEMPLAR_FILTER": of.choice("trace_based", "always_on", "always_off"),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": of.choice("cumulative", "delta", "lowmemory"),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": of.choice(
        "explicit_bucket_histogram", "base2_exponential_bucket_histogram"
    ),
    **{
        f"OTEL_EXPORTER_OTLP_{whose}{what}": kind
        for whose in ("", *(f"{each}_" for each in SIGNALS))
        for what, kind in _OTLP.items()
    },
    **{
        f"OTEL_PYTHON_EXPORTER_OTLP_{protocol}_{whose}CREDENTIAL_PROVIDER": _PROVIDER
        for protocol in ("HTTP", "GRPC")
        for whose in ("", *(f"{each}_" for each in SIGNALS))
    },
    "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES": of.choices(*_STATUSES),
    "OTEL_EXPORTER_PROMETHEUS_PORT": of.whole(0, 65535),
    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": of.tokens(),
    "OTEL_LOG_LEVEL": of.choice(
        *("all", "trace", "verbose", "debug", "info", "warn", "warning", "error", "fatal", "critical", "none", "off")
    ),
}


def wrong_by_itself(name: str, environment: Mapping[str, str] = os.environ) -> of.WrongVariable | None:
    """What is wrong with a variable, whatever the others are."""
    kind = VARIABLES[name]
    if text := environment.get(name, "").strip():
        try:
            kind.normalize(text)
        except (ValueError, OSError, ArithmeticError):
            return of.WrongVariable(name, text, kind.expected(), kind.is_secret, kind.words(), kind.is_path)
    return None


def normalized(environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """The variables that the SDK would not take as they are, although they are right; None for those to leave out.

    Raises:
        ValueError: a variable is wrong.
    """
    given = {name: environment[name] for name in VARIABLES if name in environment}
    taken = {
        name: VARIABLES[name].normalize(text) if (text := value.strip()) else None for name, value in given.items()
    }
    return {name: value for name, value in taken.items() if value != given[name]}
