"""A short acceptance test of the contract: /health and /healthz."""

from datetime import UTC, datetime, timedelta

from fastapi.testclient import TestClient


def test_basic_health_endpoint(client: TestClient):
    answer = client.get("/health")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_healthz_endpoint_success(client: TestClient):
    answer = client.get("/healthz")

    assert answer.status_code == 200
    assert answer.json()["healthy"] is True
    assert answer.json()["status"] in {"healthy", "degraded"}


def test_healthz_has_database_check(client: TestClient):
    database = client.get("/healthz").json()["checks"]["database"]

    assert database["status"] == "ok"
    assert 0 < database["latency_ms"] < 800


def test_healthz_has_disk_check(client: TestClient):
    disk = client.get("/healthz").json()["checks"]["disk"]

    assert disk["status"] in {"ok", "warning"}
    assert disk["free_gb"] > 0
    assert 0 <= disk["used_percent"] <= 100


def test_healthz_has_memory_check(client: TestClient):
    memory = client.get("/healthz").json()["checks"]["memory"]

    assert memory["status"] in {"ok", "warning"}
    assert memory["available_mb"] > 0
    assert 0 <= memory["used_percent"] <= 100


def test_healthz_has_uptime(client: TestClient):
    uptime = client.get("/healthz").json()["checks"]["uptime"]

    assert uptime["status"] == "ok"
    assert uptime["uptime_seconds"] > 0
    assert uptime["uptime_human"]


def test_healthz_timestamp(client: TestClient):
    said = datetime.fromisoformat(client.get("/healthz").json()["checks"]["timestamp"])

    assert said.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - said) < timedelta(minutes=1)
