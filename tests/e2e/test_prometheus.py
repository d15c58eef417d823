"""The real Prometheus: it scrapes the service without a complaint, and its operator's queries give data."""

import math
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.support.processes import Program, Programs, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.xdist_group("prometheus")]

APP: Final = """
from contextlib import suppress

from fastapi import Response

from service.main import create_app
from telemetry.jobs import monitor_job

app = create_app()


@app.post("/fail", status_code=204)
def fail():
    with suppress(RuntimeError), monitor_job("sync_something"):
        raise RuntimeError("as it was asked to")
"""
# What Prometheus says that it takes, unless it is told otherwise.
ACCEPT: Final = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@dataclass(frozen=True)
class Scraped:
    """The service, with traffic, and the Prometheus that scrapes it."""

    service: Program
    prometheus: Program

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.prometheus.url}/api/v1/query", params={"query": expression}, timeout=5, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def data(self, expression: str) -> dict[tuple[str, ...], float]:
        """Finite values, by labels, as soon as there are any."""

        def look() -> dict[tuple[str, ...], float]:
            found = {
                tuple(f"{name}={value}" for name, value in sorted(each["metric"].items())): float(each["value"][1])
                for each in self.query(expression)
            }
            return {labels: value for labels, value in found.items() if math.isfinite(value)}

        return eventually(look)


@pytest.fixture(scope="module", params=["installed", "deployed"])
def prometheus(request: pytest.FixtureRequest, prometheus: str) -> str:
    """The older one of the machine, and the version of docker-compose.yml."""
    return prometheus if request.param == "installed" else str(request.getfixturevalue("deployed_prometheus"))


@pytest.fixture(scope="module")
def service(programs: Programs) -> Iterator[Program]:
    """The service, with requests and failing jobs in it, ten a second, until the tests are over."""
    programs.write("failing.py", APP)
    service = programs.uvicorn("failing:app")
    service.wait_for("/readyz")
    over = threading.Event()
    client = threading.Thread(target=send_traffic, args=(service, over))
    client.start()
    yield service
    over.set()
    client.join(10)


@pytest.fixture(scope="module")
def scraped(service: Program, scrape: Callable[..., Program]) -> Scraped:
    scraped = Scraped(service, scrape(service))
    eventually(lambda: [each for each in scraped.query("count_over_time(up[1m])") if float(each["value"][1]) >= 4])
    return scraped


def send_traffic(service: Program, over: threading.Event) -> None:
    with httpx.Client(base_url=service.url, timeout=10, trust_env=False) as client:
        while not over.wait(0.1):
            client.get("/jobs/status")
            client.get("/nothing/here")
            client.post("/fail")


def test_every_scrape_is_accepted_and_is_in_open_metrics(scraped: Scraped):
    targets = httpx.get(f"{scraped.prometheus.url}/api/v1/targets", timeout=5, trust_env=False).json()
    page = scraped.service.get("/metrics", accept=ACCEPT)

    assert [target["lastError"] for target in targets["data"]["activeTargets"]] == [""]
    assert {*scraped.data("min_over_time(up[5m])").values()} == {1.0}
    assert min(scraped.data("scrape_samples_post_metric_relabeling").values()) > 100
    assert max(scraped.data("scrape_duration_seconds").values()) < 1
    assert page.headers["content-type"].startswith("application/openmetrics-text")
    assert not [line for line in scraped.prometheus.said().splitlines() if "level=info" not in line.lower()]


def test_the_rate_of_requests_is_that_of_the_traffic(scraped: Scraped):
    found = scraped.data("rate(http_requests_total[5m])")
    by_endpoint = scraped.data("sum by (endpoint, status) (rate(http_requests_total[5m]))")

    assert all(rate >= 0 for rate in found.values())
    assert 0 < by_endpoint["endpoint=/jobs/status", "status=200"] < 20
    assert 0 < by_endpoint["endpoint=unmatched", "status=404"] < 20


def test_the_99th_percentile_of_durations_is_plausible(scraped: Scraped):
    by_series = scraped.data("histogram_quantile(0.99, rate(http_request_duration_seconds_bucket[5m]))")

    [jobs] = [value for labels, value in by_series.items() if "endpoint=/jobs/status" in labels]
    assert 0 < jobs < 10


def test_failing_jobs_have_a_rate(scraped: Scraped):
    rates = scraped.data('rate(scheduler_jobs_total{status="failed"}[1h])')

    [failing] = [value for labels, value in rates.items() if "job_name=sync_something" in labels]
    assert 0 < failing < 20


def test_a_job_that_has_not_failed_yet_has_a_rate_of_zero(scraped: Scraped):
    rates = scraped.data('rate(scheduler_jobs_total{status="failed"}[1h])')

    [quiet] = [value for labels, value in rates.items() if "job_name=backup_database" in labels]
    assert quiet == 0


def test_the_connections_in_use_are_a_number(scraped: Scraped):
    [active] = scraped.data("db_connections_active").values()

    assert 0 <= active <= 15


def test_promtool_has_no_complaint(service: Program, promtool: str):
    page = service.get("/metrics").content

    checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=20, check=False)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
