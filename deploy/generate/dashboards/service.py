"""The service: rate, errors and duration by route, and what it has left."""

from typing import Final

from deploy.generate.dashboards.panels import OR_NOTHING, RATE, Dashboard, Query, Row, graph, low_is_good, number

_FAILED: Final = 'status=~"5..|error"'
_BUCKETS: Final = f"rate(http_request_duration_seconds_bucket{RATE})"


def _quantile(of: float, labels: str = "le") -> str:
    return f"histogram_quantile({of}, sum by ({labels}) ({_BUCKETS}))"


_NOW: Final = Row(
    "Now",
    (
        number(
            "Up",
            "Whether Prometheus reaches it. 0: runbook, TargetDown.",
            "min(up)",
            steps=(("red", None), ("green", 1)),
        ),
        number("Requests a second", "All of them.", "sum(rate(http_requests_total[5m]))", unit="reqps"),
        number(
            "Failing",
            "The share that is answered with a 5xx, or not at all.",
            f"sum(rate(http_requests_total{{{_FAILED}}}[5m])) / sum(rate(http_requests_total[5m])){OR_NOTHING}",
            unit="percentunit",
            steps=low_is_good(0.001, 0.01),
        ),
        number(
            "Slowest in a hundred",
            "The 99th percentile over five minutes.",
            "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
            unit="s",
            steps=low_is_good(0.5, 2.5),
        ),
        number("Runs since", "The longest of its processes.", "max(app_uptime_seconds)", unit="s"),
        number(
            "Versions", "More than one: a deployment is under way, or stuck.", "count(count by (version) (app_info))"
        ),
    ),
)
_REQUESTS: Final = Row(
    "Requests",
    (
        graph(
            "Rate by route",
            "`unmatched` are paths that there are not: many of them is somebody trying.",
            Query(f"sum by (endpoint) (rate(http_requests_total{RATE}))", "{{endpoint}}"),
            unit="reqps",
            stacked=True,
        ),
        graph(
            "Errors by route and status",
            "503 everywhere is the database; one route with 500 is a bug: its traceback is in Telegram and in Loki.",
            Query(
                f'sum by (endpoint, status) (rate(http_requests_total{{status=~"4..|5..|error"}}{RATE})){OR_NOTHING}',
                "{{endpoint}} {{status}}",
            ),
            unit="reqps",
        ),
        graph(
            "In progress",
            "It grows when answers take longer than requests come in.",
            Query("sum by (method) (http_requests_in_progress)", "{{method}}"),
        ),
        graph(
            "WebSockets",
            "Connections that are open, and those that end by how; the service itself has none, an application of yours may.",
            Query(f"sum(websocket_connections_in_progress){OR_NOTHING}", "open"),
            Query(f"sum by (outcome) (rate(websocket_connections_total{RATE})){OR_NOTHING}", "{{outcome}} a second"),
        ),
        graph(
            "WebSockets last",
            "Half of them, by route: shorter than usual means that they break and are opened again.",
            Query(
                "histogram_quantile(0.5, sum by (endpoint, le) "
                f"(rate(websocket_connection_duration_seconds_bucket{RATE})))",
                "{{endpoint}}",
            ),
            unit="s",
        ),
        graph(
            "Duration",
            "Half, nineteen in twenty, ninety-nine in a hundred are faster. The dots are requests that were traced: click one.",
            Query(_quantile(0.5), "p50"),
            Query(_quantile(0.95), "p95"),
            Query(_quantile(0.99), "p99", exemplars=True),
            unit="s",
            steps=low_is_good(0.5, 2.5),
            width=12,
        ),
        graph(
            "Slowest in a hundred by route",
            "Which route it is.",
            Query(_quantile(0.99, "endpoint, le"), "{{endpoint}}", exemplars=True),
            unit="s",
            width=12,
        ),
    ),
)
_DATABASE: Final = Row(
    "Database",
    (
        graph(
            "Queries a second",
            "By what they do.",
            Query(f"sum by (query_type) (rate(db_query_duration_seconds_count{RATE}))", "{{query_type}}"),
            unit="ops",
        ),
        graph(
            "Slowest query in a hundred",
            "All kinds at once: the database is busy or far away. One kind: an index is missing, or a lock is held.",
            Query(
                f"histogram_quantile(0.99, sum by (query_type, le) (rate(db_query_duration_seconds_bucket{RATE})))",
                "{{query_type}}",
            ),
            unit="s",
        ),
        graph(
            "Connections in use",
            "At the limit of the pools, callers wait for a connection; those that get none in time fail.",
            Query("sum(db_connections_active)", "in use"),
            Query('sum(db_client_connections{db_client_connection_state="idle"})', "idle"),
            Query("sum(db_client_connection_max)", "limit"),
            Query("sum(db_client_connection_pending_requests)", "callers that wait"),
            Query(f"sum(rate(db_client_connection_timeouts_total{RATE}))", "timeouts per second"),
        ),
    ),
)
_LEFT: Final = Row(
    "What is left",
    (
        graph(
            "CPU",
            "Cores in use, of all its processes.",
            Query(f"sum by (instance) (rate(process_cpu_seconds_total{RATE}))", "{{instance}}"),
            unit="short",
        ),
        graph(
            "Memory of the service",
            "Resident, of all its processes.",
            Query("sum by (instance) (process_resident_memory_bytes)", "{{instance}}"),
            unit="bytes",
        ),
        graph(
            "Memory of the machine",
            "Or of the container, where it has a limit.",
            Query("max by (instance) (system_memory_utilization)", "{{instance}}"),
            unit="percentunit",
            most=1,
            steps=low_is_good(0.8, 0.9),
        ),
        graph(
            "Disk",
            "Full at 100 %: the spool, the outbox and the logs are on it. Runbook, DiskSpaceLow.",
            Query("max by (path) (system_filesystem_utilization)", "{{path}}"),
            unit="percentunit",
            most=1,
            steps=low_is_good(0.8, 0.9),
        ),
        graph(
            "Files and threads",
            "Steadily growing: a leak.",
            Query("sum(process_open_fds)", "open files"),
            Query("sum(process_threads)", "threads"),
            Query(f"sum by (reason) (increase(worker_restarts_total{RATE})){OR_NOTHING}", "workers {{reason}}"),
        ),
        graph(
            "Errors logged",
            "By what logged them.",
            Query(
                f"sum by (component, error_type) (rate(errors_total{RATE})){OR_NOTHING}",
                "{{component}} {{error_type}}",
            ),
        ),
    ),
)
DASHBOARD: Final = Dashboard(
    "sovani-service",
    "Service",
    "Rate, errors and duration by route; the database; what is left of the machine.",
    (_NOW, _REQUESTS, _DATABASE, _LEFT),
)
