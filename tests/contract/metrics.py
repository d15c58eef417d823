"""The contract's table of metrics, typed out once: name, type, labels."""

CONTRACT = [
    ("http_requests_total", "counter", {"method", "endpoint", "status"}),
    ("http_request_duration_seconds", "histogram", {"method", "endpoint", "status"}),
    ("http_requests_in_progress", "gauge", {"method"}),
    ("scheduler_jobs_total", "counter", {"job_name", "status"}),
    ("scheduler_job_duration_seconds", "histogram", {"job_name"}),
    ("scheduler_jobs_in_progress", "gauge", {"job_name"}),
    ("scheduler_job_last_success_timestamp_seconds", "gauge", {"job_name"}),
    ("db_connections_active", "gauge", set()),
    ("db_query_duration_seconds", "histogram", {"query_type"}),
    ("external_api_requests_total", "counter", {"service", "endpoint", "status"}),
    ("external_api_duration_seconds", "histogram", {"service"}),
    ("reviews_processed_total", "counter", {"marketplace", "status"}),
    ("advice_generated_total", "counter", {"marketplace"}),
    ("app_uptime_seconds", "gauge", set()),
    ("app_info", "gauge", {"version", "environment"}),
    ("errors_total", "counter", {"error_type", "component"}),
    ("system_filesystem_utilization", "gauge", {"path"}),
    ("system_memory_utilization", "gauge", set()),
]
