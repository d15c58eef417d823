"""The values of a label belong to a metric: another metric with a label of the same name has its own."""

import pytest

from deploy.generate.catalogue import own
from deploy.generate.label_values import _OWN, known_values

OPEN = {
    ("app_info", "environment"),
    ("app_info", "version"),
    ("cost_usd_total", "name"),
    ("cpu_seconds_total", "name"),
    ("errors_total", "component"),
    ("errors_total", "error_type"),
    ("openai_cost_usd_total", "model"),
    ("system_filesystem_utilization", "path"),
    ("telemetry_callback_timeouts_total", "instrument"),
    ("telemetry_dropped_total", "reason"),
    ("telemetry_label_sets_overflow", "instrument"),
    ("telemetry_otlp_replaced_total", "reason"),
    ("websocket_connections_total", "endpoint"),
    ("websocket_connection_duration_seconds", "endpoint"),
}
"""The labels whose values are not known beforehand."""


def test_every_label_of_every_metric_has_its_values_or_is_known_to_be_open():
    unknown = {
        (metric, label) for metric, labels in own().items() for label in labels if not known_values(metric, label)
    }

    assert {each for each in unknown if each[1] not in {"worker", "db_client_connection_pool_name"}} == OPEN


def test_values_are_only_given_for_labels_that_the_metric_has():
    metrics = own()

    assert [
        (metric, set(labels) - metrics[metric]) for metric, labels in _OWN.items() if set(labels) - metrics[metric]
    ] == []


@pytest.mark.parametrize(
    ("metric", "label", "values"),
    [
        ("websocket_connections_total", "outcome", {"closed", "lost", "rejected", "error"}),
        ("websocket_connection_duration_seconds_bucket", "outcome", {"closed", "lost", "rejected", "error"}),
        ("telemetry_log_late_total", "queue", {"log_console", "log_files", "log_pipeline"}),
        ("telemetry_spool_bytes", "queue", {"job_runs"}),
        ("telemetry_exported_total", "queue", {"spans", "logs"}),
        ("db_client_connections", "db_client_connection_state", {"idle", "used"}),
        ("scheduler_jobs_total", "status", {"success", "failed"}),
        ("http_connections_refused_total", "status", {"408", "414", "431", "503"}),
        ("worker_restarts_total", "reason", {"killed", "exited"}),
        ("external_api_wait_seconds_total", "reason", {"pace", "backoff"}),
        ("alerts", "state", {"pending", "sent", "silenced", "inhibited"}),
        ("alerts", "queue", None),
        ("advice_generated_total", "outcome", None),
        ("http_requests_in_progress", "endpoint", None),
        ("external_api_wait_seconds_total", "status", None),
    ],
)
def test_a_metric_has_the_values_of_its_own_label(metric, label, values):
    assert known_values(metric, label) == values


def test_metrics_of_other_programs_have_the_values_of_their_configuration():
    assert known_values("otelcol_exporter_queue_size", "data_type") == {"metrics", "traces", "logs"}
    assert known_values("otelcol_exporter_queue_size", "queue") is None
    assert "sovani-api" in (known_values("up", "job") or ())
    assert "api-availability" in (known_values("slo:errors:ratio_rate1h", "slo") or ())
