"""A real Alertmanager with this repository's configuration: which alerts inhibit others, and which are never inhibited."""

import httpx
import pytest

from tests.e2e.conftest import StartAlertmanager
from tests.support.processes import eventually, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
CRITICAL, WARNING = {"severity": "critical"}, {"severity": "warning"}
INHIBITED = [
    {"alertname": "TelemetryDrops", "queue": "spans", **WARNING},
    {"alertname": "BudgetBurns", "slo": "api-availability", "burn": "14.4", **CRITICAL},
    {"alertname": "BudgetBurns", "slo": "sync-freshness", "job_name": "sync_wb_orders", "burn": "3", **WARNING},
    {"alertname": "JobStale", "job_name": "sync_wb_orders", **WARNING},
]
NOT_INHIBITED = [
    {"alertname": "TargetDown", "job": "otel-collector", **CRITICAL},
    {"alertname": "HighErrorRate", **CRITICAL},
    {"alertname": "JobFailing", "job_name": "sync_wb_orders", **WARNING},
    {"alertname": "JobStale", "job_name": "sync_ozon_orders", **WARNING},
    {"alertname": "RunLost", "job_name": "sync_wb_orders", **WARNING},
    {"alertname": "BudgetBurns", "slo": "api-latency", "burn": "3", **WARNING},
    {"alertname": "BudgetBurns", "slo": "sync-freshness", "job_name": "sync_wb_orders", "burn": "6", **CRITICAL},
    {"alertname": "BudgetBurns", "slo": "sync-freshness", "job_name": "sync_ozon_orders", "burn": "3", **WARNING},
]


def test_what_is_explained_by_something_else_is_not_told_and_everything_else_is(start_alertmanager: StartAlertmanager):
    manager = start_alertmanager(f"http://127.0.0.1:{free_port()}")
    url = f"{manager.url}/api/v2/alerts"
    posted = [
        {"labels": labels, "annotations": {"summary": "", "description": ""}} for labels in INHIBITED + NOT_INHIBITED
    ]
    httpx.post(url, json=posted, timeout=30, trust_env=False).raise_for_status()

    def check() -> bool:
        alerts = httpx.get(url, timeout=30, trust_env=False).json()
        assert len(alerts) == len(posted)
        suppressed = [each["labels"] for each in alerts if each["status"]["inhibitedBy"]]
        assert sorted(sorted(each.items()) for each in suppressed) == sorted(sorted(each.items()) for each in INHIBITED)
        return True

    eventually(check)
