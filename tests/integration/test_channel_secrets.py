"""Channels whose services repeat in their responses what they were called with: no secret is logged, kept or shown."""

import sqlite3

import pytest

from tests.support.processes import Programs
from tests.support.refusing_server import refusing_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
PROGRAM = """
import logging, time, telemetry
telemetry.start()
logging.getLogger("shop").error("the sync failed")
time.sleep(6)
telemetry.shutdown()
"""
SECRETS = {
    "PAGERDUTY_ROUTING_KEY": "pagerduty-canary-0123456789abcde",
    "JSM_API_KEY": "jsm-canary-0123456789",
    "INCIDENT_IO_TOKEN": "incident-io-canary-0123456789",
    "NTFY_TOPIC": "ntfy-topic-canary-0123456789",
    "NTFY_TOKEN": "tk_ntfy-canary-0123456789",
    "SLACK_BOT_TOKEN": "xoxb-slack-canary-0123456789",
}
IN_URLS = ("grafana-canary-0123456789", "alertmanager-canary-0123456789")
NAMES = ("pagerduty", "jsm", "grafana_irm", "incident_io", "ntfy", "slack", "alertmanager")


def test_a_service_that_repeats_a_secret_in_its_refusal_tells_nobody(tmp_path):
    programs = Programs(tmp_path)
    with refusing_server() as refusing:
        host = refusing.url.removeprefix("http://")
        ended = programs.run(
            "-c",
            PROGRAM,
            **SECRETS,
            ALERT_CHANNELS=",".join(f"{name}:error" for name in NAMES),
            PAGERDUTY_API_URL=refusing.url,
            JSM_API_URL=refusing.url,
            GRAFANA_IRM_URL=f"{refusing.url}/{IN_URLS[0]}/",
            INCIDENT_IO_URL=f"{refusing.url}/v2/alert_events/http/source",
            NTFY_URL=refusing.url,
            SLACK_API_URL=refusing.url,
            SLACK_CHANNEL_ID="C0123456789",
            ALERTMANAGER_URL=f"http://user:{IN_URLS[1]}@{host}",
            DATABASE_URL="sqlite:///data/app.db",
            DATA_DIR="data",
            LOG_DIR="data/log",
        )

    files = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    said = (ended.stdout + ended.stderr).encode()
    assert sum(refusing.calls.values()) >= len(NAMES)
    assert ended.returncode == 0
    for secret in (*SECRETS.values(), *IN_URLS):
        assert secret.encode() not in said
        assert [path for path, content in files.items() if secret.encode() in content] == []
    with sqlite3.connect(tmp_path / "data" / "alerts" / "outbox.db") as connection:
        reasons = dict(connection.execute("SELECT name, stopped FROM channels WHERE stopped IS NOT NULL"))
    assert set(reasons) == set(NAMES)
    assert "authorization]" in reasons["slack"]
