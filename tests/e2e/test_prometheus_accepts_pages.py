"""The real Prometheus accepts the page of whatever an application measures, in both formats, and drops nothing of it."""

import subprocess
from typing import Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.negotiation import OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE
from telemetry.metrics.page import MetricsPage
from telemetry.metrics.reader import FamilyReader
from tests.support import any_metrics
from tests.support.processes import Program, Programs, eventually, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("pages")]
TYPES: Final = {"text": TEXT_CONTENT_TYPE, "openmetrics": OPENMETRICS_CONTENT_TYPE}
PAGES: Final = 60
SERVER: Final = """
import http.server, os, pathlib, sys

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = pathlib.Path(self.path.strip("/"))
        body, kind = file.read_bytes(), file.with_suffix(".type").read_text()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""


def pages_of_anything() -> list[dict[str, bytes]]:
    """The pages of arbitrary applications, the same ones each time."""
    found: list[dict[str, bytes]] = []

    @settings(max_examples=PAGES, derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(any_metrics.applications)
    def collect(application: list[dict[str, Any]]) -> None:
        reader = FamilyReader()
        provider = MeterProvider([reader], Resource({"a.b": "\ud800", "a_b": 2}), shutdown_on_exit=False)
        any_metrics.measure(LimitedMeterProvider(provider), application)
        page = MetricsPage(reader.collect_own)
        found.append({name: page.render(kind)[0] for name, kind in TYPES.items()})
        provider.shutdown()

    collect()
    return found


@pytest.fixture(scope="module")
def pages() -> list[dict[str, bytes]]:
    return pages_of_anything()


@pytest.fixture(scope="module")
def scraping(programs: Programs, prometheus: str, pages: list[dict[str, bytes]]) -> Program:
    server = serve(programs, pages)
    port = free_port()
    config = programs.write(f"prometheus-{port}.yml", config_of(server.port, len(pages)))
    storage = programs.home / f"tsdb-{port}"
    started = programs.start_command(
        prometheus,
        f"--config.file={config}",
        f"--storage.tsdb.path={storage}",
        f"--web.listen-address=127.0.0.1:{port}",
        port=port,
    )
    started.wait_for("/-/ready")
    return started


@pytest.fixture(scope="module")
def targets(scraping: Program, pages: list[dict[str, bytes]]) -> list[dict[str, Any]]:
    def scraped() -> list[dict[str, Any]]:
        answer = httpx.get(f"{scraping.url}/api/v1/targets", timeout=10, trust_env=False)
        found: list[dict[str, Any]] = answer.json()["data"]["activeTargets"]
        assert len(found) == len(pages) * len(TYPES)
        assert all(each["health"] != "unknown" for each in found)
        return found

    return eventually(scraped, 60)


def serve(programs: Programs, pages: list[dict[str, bytes]]) -> Program:
    for number, page in enumerate(pages):
        for name, kind in TYPES.items():
            (programs.home / f"{number}-{name}.page").write_bytes(page[name])
            (programs.home / f"{number}-{name}.type").write_text(kind)
    server = programs.start(str(programs.write("pages.py", SERVER)))
    eventually(server.listens)
    return server


def config_of(port: int, pages: int) -> str:
    lines = ["scrape_configs:", "  - job_name: pages", "    scrape_interval: 5s", "    static_configs:"]
    for number in range(pages):
        for name in TYPES:
            path = f"{number}-{name}.page"
            lines.append(
                f'      - {{targets: ["127.0.0.1:{port}"], labels: {{__metrics_path__: "/{path}", page: "{path}"}}}}'
            )
    return "\n".join(lines) + "\n"


def test_no_target_is_down(targets: list[dict[str, Any]]):
    assert {each["labels"]["page"]: each["lastError"] for each in targets if each["lastError"]} == {}
    assert {each["health"] for each in targets} == {"up"}


def test_each_sample_arrives(targets: list[dict[str, Any]], scraping: Program, pages: list[dict[str, bytes]]):
    answer = httpx.get(
        f"{scraping.url}/api/v1/query", params={"query": "scrape_samples_scraped"}, timeout=10, trust_env=False
    )
    arrived = {each["metric"]["page"]: int(each["value"][1]) for each in answer.json()["data"]["result"]}

    samples = {
        f"{number}-{name}.page": sum(not line.startswith(b"#") for line in page[name].split(b"\n") if line)
        for number, page in enumerate(pages)
        for name in TYPES
    }
    assert arrived == samples


def test_promtool_reads_each_page(pages: list[dict[str, bytes]], promtool: str):
    for page in pages:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=page["text"], capture_output=True, timeout=60, check=False
        )
        # 3: what it advises about names, such as units in full. 1: it cannot read the page.
        assert checked.returncode in {0, 3}, checked.stderr.decode()
        assert b"error while linting" not in checked.stderr
