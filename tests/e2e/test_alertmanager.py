"""A real Alertmanager with this repository's configuration: which alerts inhibit others, and what its messages say."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_channels.alertmanager import Alertmanager
from telemetry.alerts.incident_channels.http_incident_channel import HttpIncidentChannel
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.rendering.message import Message
from tests.e2e.conftest import StartAlertmanager
from tests.support.processes import Program, eventually
from tests.unit.telemetry.alerts.incident_channels.conftest import event

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.xdist_group("alertmanager")]
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


class Phone(ThreadingHTTPServer):
    """Takes what is sent to Telegram, each as its text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _TakesMessages)
        self.texts: list[str] = []


class _TakesMessages(BaseHTTPRequestHandler):
    server: Phone

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/sendMessage"):
            self.server.texts.append(json.loads(text)["text"])
        body = json.dumps({"ok": True, "result": {"message_id": 1, "date": 0, "chat": {"id": 1}}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        pass


@pytest.fixture(scope="module")
def phone() -> Iterator[Phone]:
    with Phone() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def manager(phone: Phone, start_alertmanager: StartAlertmanager) -> Program:
    return start_alertmanager(f"http://127.0.0.1:{phone.server_port}")


def test_a_message_links_to_the_runbook_and_that_of_its_end_says_how_long_it_lasted(manager: Program, phone: Phone):
    began = datetime.now(UTC) - timedelta(hours=1)
    alert = {
        "labels": {"alertname": "RunLost", "job_name": "linked", "severity": "critical"},
        "annotations": {
            "summary": "A run & its <process>",
            "description": "Ended.",
            "runbook_url": "https://wiki.example/a?b=1#runlost",
        },
        "startsAt": began.isoformat(),
    }

    def post(**values: str) -> None:
        url = f"{manager.url}/api/v2/alerts"
        httpx.post(url, json=[alert | values], timeout=30, trust_env=False).raise_for_status()

    def texts(state: str) -> list[str]:
        found = [text for text in phone.texts if f"<b>RunLost</b> {state}" in text]
        assert found
        return found

    post()
    assert eventually(lambda: texts("firing"), within=60)[0].splitlines() == [
        "🔥 <b>RunLost</b> firing",
        "A run &amp; its &lt;process&gt;",
        "Ended.",
        f"Since {began:%Y-%m-%d %H:%M} UTC.",
        '<a href="https://wiki.example/a?b=1#runlost">Runbook</a>',
    ]
    post(endsAt=(began + timedelta(minutes=50)).isoformat())
    assert eventually(lambda: texts("resolved"), within=60)[0].splitlines() == [
        "✅ <b>RunLost</b> resolved",
        f"It ended at {began + timedelta(minutes=50):%H:%M} UTC, after 50m0s.",
        "Before: A run &amp; its &lt;process&gt;",
    ]


def test_an_incident_of_the_service_is_one_alert_that_its_channel_opens_and_resolves(manager: Program, phone: Phone):
    channel = HttpIncidentChannel(Alertmanager(manager.url, "shop", "host-1"))
    began = time.time() - 600

    def deliver(step: IncidentStep, remote_id: str = "", **values: Any) -> str:
        message = Message("", "❌ ERROR\nComponent: shop\n\nshop & co <failed>")
        return channel.deliver(event(step, message=message, first_at=began, remote_id=remote_id, **values))

    def active() -> list[dict[str, str]]:
        url = f"{manager.url}/api/v2/alerts?active=true&filter=alertname=ServiceAlert"
        return [each["labels"] for each in httpx.get(url, timeout=30, trust_env=False).json()]

    def told(state: str) -> list[str]:
        return [text for text in phone.texts if f"<b>ServiceAlert</b> {state}" in text]

    assert channel.probe() == "Alertmanager is ready"
    remote_id = deliver(IncidentStep.OPEN)
    remote_id = deliver(IncidentStep.UPDATE, remote_id, count=2)
    assert [labels["severity"] for labels in active()] == ["error"]
    remote_id = deliver(IncidentStep.UPDATE, remote_id, count=3, level=AlertLevel.CRITICAL)
    assert eventually(lambda: told("firing") or None, within=60)
    assert [labels["severity"] for labels in active()] == ["critical"]

    deliver(IncidentStep.RESOLVE, remote_id, level=AlertLevel.CRITICAL)

    assert active() == []
    assert eventually(lambda: told("resolved") or None, within=60)
    channel.close()


def test_what_is_explained_by_something_else_is_not_told_and_everything_else_is(manager: Program):
    url = f"{manager.url}/api/v2/alerts"
    posted = [
        {"labels": labels, "annotations": {"summary": "", "description": ""}} for labels in INHIBITED + NOT_INHIBITED
    ]
    httpx.post(url, json=posted, timeout=30, trust_env=False).raise_for_status()

    def check() -> bool:
        alerts = httpx.get(url, timeout=30, trust_env=False).json()
        alerts = [each for each in alerts if each["labels"].get("job_name") != "linked"]
        alerts = [each for each in alerts if each["labels"]["alertname"] != "ServiceAlert"]
        assert len(alerts) == len(posted)
        suppressed = [each["labels"] for each in alerts if each["status"]["inhibitedBy"]]
        assert sorted(sorted(each.items()) for each in suppressed) == sorted(sorted(each.items()) for each in INHIBITED)
        return True

    eventually(check)
