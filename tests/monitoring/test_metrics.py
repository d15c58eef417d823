"""A short acceptance test of the contract: /metrics."""

import re

from fastapi.testclient import TestClient


def series(client: TestClient, name: str) -> dict[str, float]:
    page = client.get("/metrics").text
    found = re.findall(rf"^({name}(?:{{[^}}]*}})?) (\S+)$", page, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_metrics_endpoint_exists(client: TestClient):
    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


def test_metrics_contains_http_requests(client: TestClient):
    client.get("/health")

    page = client.get("/metrics").text

    assert "# TYPE http_requests_total counter" in page
    assert "# TYPE http_request_duration_seconds histogram" in page
    assert 'http_requests_total{method="GET",endpoint="/health",status="200"}' in page


def test_metrics_contains_app_info(client: TestClient):
    assert series(client, "app_info") == {'app_info{version="0.1.0",environment="development"}': 1}


def test_metrics_uptime(client: TestClient):
    first = series(client, "app_uptime_seconds")["app_uptime_seconds"]
    second = series(client, "app_uptime_seconds")["app_uptime_seconds"]

    assert 0 < first <= second


def test_http_requests_increment(client: TestClient):
    wanted = 'http_requests_total{method="GET",endpoint="/health",status="200"}'
    before = series(client, "http_requests_total").get(wanted, 0)

    for _ in range(7):
        client.get("/health")

    assert series(client, "http_requests_total")[wanted] == before + 7
