"""The table of names: how OpenTelemetry's instruments and attributes are called on `/metrics`.

Applied where the page is read; nothing is measured twice. An instrument that has no row here is shown by OpenTelemetry's own
translation (name, unit and `_total` as the specification says), so a new metric needs no row to be seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from telemetry import names

Kind = Literal["counter", "gauge", "histogram"]
Across = Literal["sum", "max", "min", "newest", "highest", "once", "worker"]
"""What a gauge is for several workers: of those that live the sum, the largest, the smallest or the latest; the highest that
any ever said; what one says for all; or a series for each (label `worker`). Counters and histograms are always summed."""
Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """A label, the attribute it is made from, and what it says where the attribute is missing."""

    name: str
    attribute: str
    missing: str = ""
    read: Callable[[Attributes], str] | None = None

    def value(self, attributes: Attributes) -> str:
        if self.read is not None:
            return self.read(attributes)
        return str(attributes.get(self.attribute, self.missing))


@dataclass(frozen=True, slots=True)
class Row:
    """One family of `/metrics`. A counter made from a histogram is the histogram's count.

    `labels=None` takes every attribute as it is; `select` leaves out the points that it refuses; `across` is for gauges.
    """

    name: str
    kind: Kind
    source: str
    help: str
    labels: tuple[Label, ...] | None = ()
    select: Callable[[Attributes], bool] | None = None
    across: Across = "sum"


def status_of_call(attributes: Attributes) -> str:
    """A status code, or `timeout`, or `error` for a call that got no answer at all."""
    if (code := attributes.get(names.HTTP_STATUS_CODE)) is not None:
        return str(code)
    return "timeout" if "timeout" in str(attributes.get(names.ERROR_TYPE, "")).lower() else "error"


def _query_type(attributes: Attributes) -> str:
    operation = str(attributes.get(names.DB_OPERATION, "")).lower()
    return operation if operation in names.QUERY_TYPES else names.OTHER


def _constant(name: str, value: str) -> Label:
    return Label(name, "", value)


def _is_used(attributes: Attributes) -> bool:
    return attributes.get(names.DB_CONNECTION_STATE) == "used"


def _failed(attributes: Attributes) -> bool:
    return names.ERROR_TYPE in attributes


def _sent(attributes: Attributes) -> bool:
    return names.ERROR_TYPE not in attributes


_METHOD = Label("method", names.HTTP_METHOD, names.OTHER_METHOD)
_REQUEST = (
    _METHOD,
    Label("endpoint", names.HTTP_ROUTE, names.UNMATCHED),
    Label("status", names.HTTP_STATUS_CODE, "error"),
)
_JOB = Label("job_name", names.JOB_NAME)
_SERVICE = Label("service", names.PEER_SERVICE, names.OTHER)
_QUEUE = Label("queue", names.QUEUE)
_REASON = Label("reason", names.REASON)
_SDK_REASON = Label("reason", names.ERROR_TYPE)


def _sdk_rows(queue: str, signal: str) -> tuple[Row, ...]:
    """The SDK's metrics of its own, by our names (`OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED`)."""
    labels = (_constant("queue", queue),)
    reasons = (*labels, _SDK_REASON)
    processor = f"otel.sdk.processor.{signal}"
    exported = f"otel.sdk.exporter.{signal}.exported"
    return (
        Row(
            "telemetry_queue_size", "gauge", f"{processor}.queue.size", "Items that wait to be written or sent.", labels
        ),
        Row("telemetry_queue_capacity", "gauge", f"{processor}.queue.capacity", "Items that a queue can hold.", labels),
        Row("telemetry_dropped_total", "counter", f"{processor}.processed", _DROPPED, reasons, _failed),
        Row("telemetry_dropped_total", "counter", exported, _DROPPED, reasons, _failed),
        Row("telemetry_exported_total", "counter", exported, "Items that the OTLP endpoint accepted.", labels, _sent),
    )


_DROPPED: Final = "Telemetry that was dropped, by queue and reason."
VOCABULARY: Final[tuple[Row, ...]] = (
    Row("http_requests_total", "counter", names.HTTP_SERVER_DURATION, "HTTP requests answered.", _REQUEST),
    Row(
        "http_request_duration_seconds",
        "histogram",
        names.HTTP_SERVER_DURATION,
        "Duration of HTTP requests, up to the last byte of the answer.",
        _REQUEST,
    ),
    Row("http_requests_in_progress", "gauge", names.HTTP_SERVER_ACTIVE, "HTTP requests being answered.", (_METHOD,)),
    Row(
        "scheduler_jobs_total",
        "counter",
        names.JOB_RUNS,
        "Job runs that ended, by status.",
        (_JOB, Label("status", names.JOB_STATUS)),
    ),
    Row(
        "scheduler_job_duration_seconds",
        "histogram",
        names.JOB_DURATION,
        "Duration of job runs.",
        (_JOB,),
    ),
    Row("scheduler_jobs_in_progress", "gauge", names.JOB_ACTIVE, "Job runs in progress.", (_JOB,)),
    Row(
        "scheduler_job_last_success_timestamp_seconds",
        "gauge",
        names.JOB_LAST_SUCCESS,
        "When a job last succeeded, as Unix time.",
        (_JOB,),
        across="highest",
    ),
    Row(
        "db_connections_active",
        "gauge",
        names.DB_CONNECTIONS_USAGE,
        "Database connections in use.",
        select=_is_used,
    ),
    Row(
        "db_query_duration_seconds",
        "histogram",
        names.DB_OPERATION_DURATION,
        "Duration of database queries, by kind.",
        (Label("query_type", names.DB_OPERATION, read=_query_type),),
    ),
    Row(
        "external_api_requests_total",
        "counter",
        names.HTTP_CLIENT_DURATION,
        "Calls to other services, failed ones included.",
        (
            _SERVICE,
            Label("endpoint", names.URL_TEMPLATE, names.UNMATCHED),
            Label("status", names.HTTP_STATUS_CODE, read=status_of_call),
        ),
    ),
    Row(
        "external_api_duration_seconds",
        "histogram",
        names.HTTP_CLIENT_DURATION,
        "Duration of calls to other services.",
        (_SERVICE,),
    ),
    Row("app_uptime_seconds", "gauge", names.APP_UPTIME, "Seconds since the process began to serve.", across="max"),
    Row(
        "app_info",
        "gauge",
        names.APP_INFO,
        "What runs: always 1.",
        (Label("version", names.VERSION), Label("environment", names.ENVIRONMENT)),
        across="once",
    ),
    Row(
        "errors_total",
        "counter",
        names.ERRORS,
        "Events logged at ERROR and above.",
        (Label("error_type", names.ERROR_TYPE), Label("component", names.COMPONENT)),
    ),
    Row(
        "system_filesystem_utilization",
        "gauge",
        names.FILESYSTEM_UTILIZATION,
        "Share of a filesystem that is used, 0 to 1.",
        (Label("path", names.FILESYSTEM_PATH),),
        across="newest",
    ),
    Row(
        "system_memory_utilization",
        "gauge",
        names.MEMORY_UTILIZATION,
        "Share of memory that is used, 0 to 1.",
        across="newest",
    ),
    Row("process_cpu_seconds_total", "counter", names.PROCESS_CPU_TIME, "CPU time of the process."),
    Row("process_resident_memory_bytes", "gauge", names.PROCESS_MEMORY_USAGE, "Resident memory of the process."),
    Row("process_virtual_memory_bytes", "gauge", names.PROCESS_MEMORY_VIRTUAL, "Virtual memory of the process."),
    Row("process_threads", "gauge", names.PROCESS_THREADS, "Threads of the process."),
    Row("process_open_fds", "gauge", names.PROCESS_OPEN_FDS, "Open file descriptors of the process."),
    Row(
        "process_start_time_seconds",
        "gauge",
        names.PROCESS_START_TIME,
        "When the process started, as Unix time.",
        across="min",
    ),
    Row(
        "python_gc_collections_total",
        "counter",
        names.GC_COLLECTIONS,
        "Garbage collections, by generation.",
        (Label("generation", names.GC_GENERATION),),
    ),
    Row(
        "telemetry_queue_size",
        "gauge",
        names.TELEMETRY_QUEUE_SIZE,
        "Items that wait to be written or sent.",
        (_QUEUE,),
    ),
    Row(
        "telemetry_queue_capacity",
        "gauge",
        names.TELEMETRY_QUEUE_CAPACITY,
        "Items that a queue can hold.",
        (_QUEUE,),
    ),
    Row("telemetry_dropped_total", "counter", names.TELEMETRY_DROPPED, _DROPPED, (_QUEUE, _REASON)),
    Row(
        "telemetry_label_sets_overflow",
        "gauge",
        names.TELEMETRY_OVERFLOW,
        "1 for each instrument that has reached its limit of label sets.",
        (Label("instrument", names.INSTRUMENT),),
        across="max",
    ),
    *_sdk_rows("spans", "span"),
    *_sdk_rows("logs", "log"),
)
