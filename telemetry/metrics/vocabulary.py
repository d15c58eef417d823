"""The mapping table: the names of OpenTelemetry's instruments and attributes on `/metrics`.

It is applied when metrics are read, so nothing is measured twice. An instrument without a mapping gets the name of
OpenTelemetry's specification (name, unit and `_total`), so a new metric is visible without a mapping.
"""

from typing import Final

from telemetry import semconv
from telemetry.metrics.mapping import Attributes, LabelMapping, MetricMapping
from telemetry.metrics.self_vocabulary import COST_VOCABULARY, SELF_VOCABULARY


def client_status(attributes: Attributes) -> str:
    """The status label of an outgoing request: the status code; `timeout` or `error` if there was no whole response."""
    code, error = attributes.get(semconv.HTTP_STATUS_CODE), str(attributes.get(semconv.ERROR_TYPE, ""))
    if code is not None and error in {"", str(code)}:
        return str(code)
    return "timeout" if "timeout" in error.lower() else "error"


def _query_type(attributes: Attributes) -> str:
    operation = str(attributes.get(semconv.DB_OPERATION, "")).lower().removeprefix("batch ")
    return operation if operation in semconv.QUERY_TYPES else semconv.OTHER


def _is_used(attributes: Attributes) -> bool:
    return attributes.get(semconv.DB_CONNECTION_STATE) == semconv.CONNECTION_USED


_METHOD = LabelMapping("method", semconv.HTTP_METHOD, semconv.OTHER_METHOD)
_REQUEST = (
    _METHOD,
    LabelMapping("endpoint", semconv.HTTP_ROUTE, semconv.UNMATCHED),
    LabelMapping("status", semconv.HTTP_STATUS_CODE, "error"),
)
_WEBSOCKET = (
    LabelMapping("endpoint", semconv.HTTP_ROUTE, semconv.UNMATCHED),
    LabelMapping("outcome", semconv.WEBSOCKET_OUTCOME),
)
_JOB = LabelMapping("job_name", semconv.JOB_NAME)
_POOL = LabelMapping("db_client_connection_pool_name", semconv.DB_POOL_NAME)
_SERVICE = LabelMapping("service", semconv.PEER_SERVICE, semconv.OTHER)


VOCABULARY: Final[tuple[MetricMapping, ...]] = (
    MetricMapping("http_requests_total", "counter", semconv.HTTP_SERVER_DURATION, "HTTP requests answered.", _REQUEST),
    MetricMapping(
        "http_request_duration_seconds",
        "histogram",
        semconv.HTTP_SERVER_DURATION,
        "Duration of HTTP requests, up to the last byte of the response.",
        _REQUEST,
    ),
    MetricMapping(
        "http_requests_in_progress", "gauge", semconv.HTTP_SERVER_ACTIVE, "HTTP requests in progress.", (_METHOD,)
    ),
    MetricMapping(
        "websocket_connections_total",
        "counter",
        semconv.WEBSOCKET_DURATION,
        "WebSocket connections that ended, by how: closed, lost, rejected or error.",
        _WEBSOCKET,
    ),
    MetricMapping(
        "websocket_connection_duration_seconds",
        "histogram",
        semconv.WEBSOCKET_DURATION,
        "Duration of WebSocket connections.",
        _WEBSOCKET,
    ),
    MetricMapping(
        "websocket_connections_in_progress", "gauge", semconv.WEBSOCKET_ACTIVE, "WebSocket connections that are open."
    ),
    MetricMapping(
        "scheduler_jobs_total",
        "counter",
        semconv.JOB_RUNS,
        "Job runs that ended, by status, without those that could only wait.",
        (_JOB, LabelMapping("status", semconv.JOB_STATUS)),
    ),
    MetricMapping(
        "scheduler_job_duration_seconds",
        "histogram",
        semconv.JOB_DURATION,
        "Duration of job runs.",
        (_JOB,),
    ),
    MetricMapping(
        "scheduler_runs_lost_total",
        "counter",
        semconv.JOB_RUNS_LOST,
        "Runs whose process ended without finishing them.",
        (_JOB,),
    ),
    MetricMapping(
        "scheduler_runs_skipped_total",
        "counter",
        semconv.JOB_RUNS_SKIPPED,
        "Runs of a job that could only wait, such as for the end of a rate limit.",
        (_JOB,),
    ),
    MetricMapping(
        "worker_restarts_total",
        "counter",
        semconv.WORKER_RESTARTS,
        "Workers that ended while others continued, by reason: killed, or exited in order.",
        (LabelMapping("reason", semconv.REASON),),
    ),
    MetricMapping("scheduler_jobs_in_progress", "gauge", semconv.JOB_ACTIVE, "Job runs in progress.", (_JOB,)),
    MetricMapping(
        "scheduler_job_last_success_timestamp_seconds",
        "gauge",
        semconv.JOB_LAST_SUCCESS,
        "When a job last succeeded, as Unix time.",
        (_JOB,),
        gauge_mode="highest",
    ),
    MetricMapping(
        "scheduler_job_last_failure_timestamp_seconds",
        "gauge",
        semconv.JOB_LAST_FAILURE,
        "When a job last failed, as Unix time.",
        (_JOB,),
        gauge_mode="highest",
    ),
    MetricMapping(
        "db_connections_active",
        "gauge",
        semconv.DB_CONNECTION_COUNT,
        "Database connections in use.",
        select=_is_used,
    ),
    MetricMapping(
        "db_client_connections",  # no `_count`, which Prometheus keeps for histograms
        "gauge",
        semconv.DB_CONNECTION_COUNT,
        "Database connections that are open, by pool and state.",
        (_POOL, LabelMapping("db_client_connection_state", semconv.DB_CONNECTION_STATE)),
    ),
    MetricMapping(
        "db_client_connection_max",
        "gauge",
        semconv.DB_CONNECTION_MAX,
        "The most database connections that a pool opens.",
        (_POOL,),
    ),
    MetricMapping(
        "db_client_connection_pending_requests",
        "gauge",
        semconv.DB_CONNECTION_PENDING,
        "Callers that wait for a database connection.",
        (_POOL,),
    ),
    MetricMapping(
        "db_client_connection_timeouts_total",
        "counter",
        semconv.DB_CONNECTION_TIMEOUTS,
        "Callers that got no database connection in time.",
        (_POOL,),
    ),
    MetricMapping(
        "db_query_duration_seconds",
        "histogram",
        semconv.DB_OPERATION_DURATION,
        "Duration of database queries, by kind.",
        (LabelMapping("query_type", semconv.DB_OPERATION, compute=_query_type),),
    ),
    MetricMapping(
        "external_api_requests_total",
        "counter",
        semconv.HTTP_CLIENT_DURATION,
        "Calls to other services, failed ones included.",
        (
            _SERVICE,
            LabelMapping("endpoint", semconv.URL_TEMPLATE, semconv.UNMATCHED),
            LabelMapping("status", semconv.HTTP_STATUS_CODE, compute=client_status),
        ),
    ),
    MetricMapping(
        "external_api_duration_seconds",
        "histogram",
        semconv.HTTP_CLIENT_DURATION,
        "Duration of calls to other services.",
        (_SERVICE,),
    ),
    MetricMapping(
        "app_uptime_seconds", "gauge", semconv.APP_UPTIME, "Seconds since the process began to serve.", gauge_mode="max"
    ),
    MetricMapping(
        "app_info",
        "gauge",
        semconv.APP_INFO,
        "Version and environment of the process; always 1.",
        (LabelMapping("version", semconv.VERSION), LabelMapping("environment", semconv.ENVIRONMENT)),
        gauge_mode="once",
    ),
    MetricMapping(
        "errors_total",
        "counter",
        semconv.ERRORS,
        "Events logged at ERROR and above.",
        (LabelMapping("error_type", semconv.ERROR_TYPE), LabelMapping("component", semconv.COMPONENT)),
    ),
    MetricMapping(
        "system_filesystem_utilization",
        "gauge",
        semconv.FILESYSTEM_UTILIZATION,
        "Share of a filesystem that is used, 0 to 1.",
        (LabelMapping("path", semconv.FILESYSTEM_PATH),),
        gauge_mode="newest",
    ),
    MetricMapping(
        "system_memory_utilization",
        "gauge",
        semconv.MEMORY_UTILIZATION,
        "Share of memory that is used, 0 to 1.",
        gauge_mode="newest",
    ),
    MetricMapping("process_cpu_seconds_total", "counter", semconv.PROCESS_CPU_TIME, "CPU time of the process."),
    MetricMapping(
        "process_resident_memory_bytes", "gauge", semconv.PROCESS_MEMORY_USAGE, "Resident memory of the process."
    ),
    MetricMapping(
        "process_virtual_memory_bytes", "gauge", semconv.PROCESS_MEMORY_VIRTUAL, "Virtual memory of the process."
    ),
    MetricMapping("process_threads", "gauge", semconv.PROCESS_THREADS, "Threads of the process."),
    MetricMapping("process_open_fds", "gauge", semconv.PROCESS_OPEN_FDS, "Open file descriptors of the process."),
    MetricMapping(
        "process_start_time_seconds",
        "gauge",
        semconv.PROCESS_START_TIME,
        "When the process started, as Unix time.",
        gauge_mode="min",
    ),
    MetricMapping(
        "python_gc_collections_total",
        "counter",
        semconv.GC_COLLECTIONS,
        "Garbage collections, by generation.",
        (LabelMapping("generation", semconv.GC_GENERATION),),
    ),
    *COST_VOCABULARY,
    *SELF_VOCABULARY,
)
