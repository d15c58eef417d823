"""The table of names: how OpenTelemetry's instruments and attributes are called on `/metrics`.

Applied where the page is read; nothing is measured twice. An instrument that has no row here is shown by OpenTelemetry's own
translation (name, unit and `_total` as the specification says), so a new metric needs no row to be seen.
"""

from typing import Final

from telemetry import semconv
from telemetry.metrics.mapping import Attributes, Label, Row
from telemetry.metrics.self_vocabulary import OWN


def status_of_call(attributes: Attributes) -> str:
    """A status code, or `timeout`, or `error` for a call that got no answer at all."""
    if (code := attributes.get(semconv.HTTP_STATUS_CODE)) is not None:
        return str(code)
    return "timeout" if "timeout" in str(attributes.get(semconv.ERROR_TYPE, "")).lower() else "error"


def _query_type(attributes: Attributes) -> str:
    operation = str(attributes.get(semconv.DB_OPERATION, "")).lower()
    return operation if operation in semconv.QUERY_TYPES else semconv.OTHER


def _is_used(attributes: Attributes) -> bool:
    return attributes.get(semconv.STATE) == "used"


_METHOD = Label("method", semconv.HTTP_METHOD, semconv.OTHER_METHOD)
_REQUEST = (
    _METHOD,
    Label("endpoint", semconv.HTTP_ROUTE, semconv.UNMATCHED),
    Label("status", semconv.HTTP_STATUS_CODE, "error"),
)
_JOB = Label("job_name", semconv.JOB_NAME)
_SERVICE = Label("service", semconv.PEER_SERVICE, semconv.OTHER)


VOCABULARY: Final[tuple[Row, ...]] = (
    Row("http_requests_total", "counter", semconv.HTTP_SERVER_DURATION, "HTTP requests answered.", _REQUEST),
    Row(
        "http_request_duration_seconds",
        "histogram",
        semconv.HTTP_SERVER_DURATION,
        "Duration of HTTP requests, up to the last byte of the answer.",
        _REQUEST,
    ),
    Row("http_requests_in_progress", "gauge", semconv.HTTP_SERVER_ACTIVE, "HTTP requests being answered.", (_METHOD,)),
    Row(
        "scheduler_jobs_total",
        "counter",
        semconv.JOB_RUNS,
        "Job runs that ended, by status.",
        (_JOB, Label("status", semconv.JOB_STATUS)),
    ),
    Row(
        "scheduler_job_duration_seconds",
        "histogram",
        semconv.JOB_DURATION,
        "Duration of job runs.",
        (_JOB,),
    ),
    Row(
        "scheduler_runs_lost_total",
        "counter",
        semconv.JOB_RUNS_LOST,
        "Runs of a job whose process ended without a word.",
        (_JOB,),
    ),
    Row("scheduler_jobs_in_progress", "gauge", semconv.JOB_ACTIVE, "Job runs in progress.", (_JOB,)),
    Row(
        "scheduler_job_last_success_timestamp_seconds",
        "gauge",
        semconv.JOB_LAST_SUCCESS,
        "When a job last succeeded, as Unix time.",
        (_JOB,),
        across="highest",
    ),
    Row(
        "scheduler_job_last_failure_timestamp_seconds",
        "gauge",
        semconv.JOB_LAST_FAILURE,
        "When a job last failed, as Unix time.",
        (_JOB,),
        across="highest",
    ),
    Row(
        "db_connections_active",
        "gauge",
        semconv.DB_CONNECTIONS_USAGE,
        "Database connections in use.",
        select=_is_used,
    ),
    Row(
        "db_query_duration_seconds",
        "histogram",
        semconv.DB_OPERATION_DURATION,
        "Duration of database queries, by kind.",
        (Label("query_type", semconv.DB_OPERATION, read=_query_type),),
    ),
    Row(
        "external_api_requests_total",
        "counter",
        semconv.HTTP_CLIENT_DURATION,
        "Calls to other services, failed ones included.",
        (
            _SERVICE,
            Label("endpoint", semconv.URL_TEMPLATE, semconv.UNMATCHED),
            Label("status", semconv.HTTP_STATUS_CODE, read=status_of_call),
        ),
    ),
    Row(
        "external_api_duration_seconds",
        "histogram",
        semconv.HTTP_CLIENT_DURATION,
        "Duration of calls to other services.",
        (_SERVICE,),
    ),
    Row("app_uptime_seconds", "gauge", semconv.APP_UPTIME, "Seconds since the process began to serve.", across="max"),
    Row(
        "app_info",
        "gauge",
        semconv.APP_INFO,
        "What runs: always 1.",
        (Label("version", semconv.VERSION), Label("environment", semconv.ENVIRONMENT)),
        across="once",
    ),
    Row(
        "errors_total",
        "counter",
        semconv.ERRORS,
        "Events logged at ERROR and above.",
        (Label("error_type", semconv.ERROR_TYPE), Label("component", semconv.COMPONENT)),
    ),
    Row(
        "system_filesystem_utilization",
        "gauge",
        semconv.FILESYSTEM_UTILIZATION,
        "Share of a filesystem that is used, 0 to 1.",
        (Label("path", semconv.FILESYSTEM_PATH),),
        across="newest",
    ),
    Row(
        "system_memory_utilization",
        "gauge",
        semconv.MEMORY_UTILIZATION,
        "Share of memory that is used, 0 to 1.",
        across="newest",
    ),
    Row("process_cpu_seconds_total", "counter", semconv.PROCESS_CPU_TIME, "CPU time of the process."),
    Row("process_resident_memory_bytes", "gauge", semconv.PROCESS_MEMORY_USAGE, "Resident memory of the process."),
    Row("process_virtual_memory_bytes", "gauge", semconv.PROCESS_MEMORY_VIRTUAL, "Virtual memory of the process."),
    Row("process_threads", "gauge", semconv.PROCESS_THREADS, "Threads of the process."),
    Row("process_open_fds", "gauge", semconv.PROCESS_OPEN_FDS, "Open file descriptors of the process."),
    Row(
        "process_start_time_seconds",
        "gauge",
        semconv.PROCESS_START_TIME,
        "When the process started, as Unix time.",
        across="min",
    ),
    Row(
        "python_gc_collections_total",
        "counter",
        semconv.GC_COLLECTIONS,
        "Garbage collections, by generation.",
        (Label("generation", semconv.GC_GENERATION),),
    ),
    *OWN,
)
