"""The service, the Collector and the Prometheus of docker-compose.yml with its own configuration: both ways of a metric give one number."""

import itertools
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import Collector
from tests.support.deployed_prometheus import DeployedPrometheus
from tests.support.processes import Program, Programs, eventually, free_port
from tests.support.sandboxed_service import OPS_TOKEN

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
AWAY = 46.0
"""Seconds that the store is away."""
CALM = 90.0
"""Seconds until the last back-off of the Collector is over, and more."""
GAP = 20.0
"""Seconds between two points of a series that are sent each second, on a machine that is busy: half of an outage would be longer."""


def counted(page: str, metric: str) -> float:
    lines = re.findall(rf'^{metric}{{[^}}]*exporter="otlp_http/prometheus"[^}}]*}} (\S+)', page, re.MULTILINE)
    return sum(map(float, lines))


def longest_gap(samples: list[list[Any]]) -> float:
    times = [float(moment) for moment, _ in samples]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


@pytest.fixture
def programs(tmp_path: Path):
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


def start_service(programs: Programs, port: int, collector: Collector) -> Program:
    service = programs.start(
        *("-m", "uvicorn", "service.main:app", "--port", str(port), "--workers", "2"),
        port=port,
        SCHEDULER="false",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRIC_EXPORT_INTERVAL="1000",
    )
    service.wait_for("/readyz", within=90)
    return service


def test_with_prometheus_away_no_point_is_lost_and_both_ways_give_the_same_totals(
    programs: Programs, otelcol: Path, deployed_prometheus: Path, capsys: pytest.CaptureFixture[str]
):
    port = free_port()
    store = DeployedPrometheus(programs, deployed_prometheus, {"sovani-api": port}, "1s", OPS_TOKEN)
    collector = Collector(programs, otelcol, store.otlp)
    service = start_service(programs, port, collector)
    stop, answered = threading.Event(), itertools.count()

    def traffic() -> None:
        while not stop.wait(0.1):
            if service.get("/jobs/status").status_code == 200:
                next(answered)

    client = threading.Thread(target=traffic)
    client.start()
    try:
        time.sleep(5)
        store.stop(signal.SIGTERM)
        time.sleep(AWAY)
        store.start()
        time.sleep(5)
    finally:
        stop.set()
        client.join(30)
    total = next(answered)

    scraped = 'sum(http_requests_total{job="sovani-api",endpoint="/jobs/status"})'
    sent = 'sum(http_server_request_duration_seconds_count{http_route="/jobs/status"})'
    eventually(lambda: (store.number(scraped), store.number(sent)) == (total, total), CALM)
    eventually(lambda: counted(collector.page(), "otelcol_exporter_queue_size") == 0, CALM)
    page = collector.page()
    series = store.query('http_server_request_duration_seconds_count{http_route="/jobs/status"}[10m]')
    late = re.findall(r"^prometheus_tsdb_head_out_of_order_samples_appended_total\S* (\S+)", store.page(), re.MULTILINE)

    assert counted(page, "otelcol_exporter_send_failed_metric_points_total") == 0
    assert counted(page, "otelcol_exporter_enqueue_failed_metric_points_total") == 0
    assert "out of order" not in collector.process.said()
    assert len(series) == 2
    assert max(longest_gap(each["values"]) for each in series) < GAP
    with capsys.disabled():
        points = counted(page, "otelcol_exporter_sent_metric_points_total")
        print(f"\n{total} requests, {points:.0f} points, {sum(map(float, late)):.0f} samples late; none missing")  # noqa: T201
