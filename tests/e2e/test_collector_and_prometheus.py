"""The service, the Collector and the Prometheus of docker-compose.yml with its own configuration: both ways of a metric give one number."""

import itertools
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.collector import Collector
from tests.support.processes import ROOT, Program, Programs, eventually, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
AWAY = 46.0
"""Seconds that the store is away."""
CALM = 90.0
"""Seconds until the last back-off of the Collector is over, and more."""
GAP = 20.0
"""Seconds between two points of a series that are sent each second, on a machine that is busy: half of an outage would be longer."""


class Store:
    """Prometheus as it is deployed, but for where its targets are."""

    def __init__(self, programs: Programs, program: Path, service_port: int) -> None:
        self._programs, self._program, self.port = programs, program, free_port()
        config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
        [job] = [each for each in config["scrape_configs"] if each["job_name"] == "sovani-api"]
        del job["authorization"]
        job |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
        job["static_configs"] = [{"targets": [f"127.0.0.1:{service_port}"]}]
        config |= {"scrape_configs": [job], "rule_files": [], "alerting": {}}
        self._config = programs.write("prometheus.yml", yaml.safe_dump(config))
        self.start()

    @property
    def otlp(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/otlp"

    def start(self) -> None:
        self.process = self._programs.start_command(
            str(self._program),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._programs.home / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-otlp-receiver",
            port=self.port,
        )
        self.process.wait_for("/-/ready")

    def stop(self) -> None:
        self.process.tell(signal.SIGTERM)
        self.process.exit_code()

    def query(self, expression: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/query"
        answer = httpx.get(url, params={"query": expression}, timeout=10, trust_env=False)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def page(self) -> str:
        return self.process.get("/metrics").text

    def number(self, expression: str) -> float:
        return sum(float(each["value"][1]) for each in self.query(expression))


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
    store = Store(programs, deployed_prometheus, port)
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
        store.stop()
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
