"""The stack: the real Prometheus with this repository's configuration over the service with two workers, the real Alertmanager behind it,
and the phone at the end. Traffic with faults: every query of every dashboard, and two alerts from firing to resolved.
"""

import math
import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.generate.dashboards import dashboards
from deploy.generate.dashboards.panels import Query
from deploy.generate.objectives import read
from tests.e2e.conftest import StartAlertmanager
from tests.support.deployed_names import chosen
from tests.support.panels import Examined, PanelChecker, ShownPanel, deployed_panels
from tests.support.processes import ROOT, Program, Programs, eventually, free_port
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("stack")]
DEPLOY = ROOT / "deploy"
OTHERS = {"WebSockets last"}  # the service has none
PANELS = [
    (name, panel, query)
    for name, dashboard in dashboards(read(DEPLOY / "prometheus/objectives.yml")).items()
    for panel in dashboard.panels
    for query in panel.queries
]

APP = """
from pathlib import Path

from service.main import create_app
from telemetry.jobs import monitor_job

app = create_app()


@app.post("/work")
def work():
    with monitor_job("import_prices"):
        if Path("failing").exists():
            raise RuntimeError("as it was asked to")
"""


@dataclass(frozen=True)
class Stack:
    shop: SandboxedService
    prometheus: Program
    began: float

    def phone(self) -> str:
        """What it shows, without its markup."""
        page = httpx.get(f"{self.shop.sandbox.url}/phone", timeout=10, trust_env=False).text
        return " ".join(re.sub(r"<[^>]*>", " ", page).split())

    def ask(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.prometheus.url}/api/v1/{path}", params=parameters, timeout=30, trust_env=False)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]


@pytest.fixture(scope="module")
def stack(programs: Programs, prometheus: str, start_alertmanager: StartAlertmanager) -> Stack:
    programs.write("shop.py", APP)
    (programs.home / "failing").touch()
    sandbox_port = free_port()
    service = programs.uvicorn(
        "shop:app",
        "--workers",
        "2",
        SANDBOX="true",
        SANDBOX_PORT=str(sandbox_port),
        SANDBOX_FAULTS="0.05",
        OPS_TOKEN=OPS_TOKEN,
        LOG_LEVEL="CRITICAL",
    )
    service.wait_for("/readyz")
    shop = SandboxedService.at(service, sandbox_port)
    manager = start_alertmanager(shop.sandbox.url)
    return Stack(shop, start_prometheus(programs, prometheus, service.port, manager.port), time.time())


@pytest.fixture(scope="module", autouse=True)
def traffic(stack: Stack) -> Iterator[None]:
    """For as long as the tests go on. The job fails until the test that waits for its alert has seen that."""
    stop, url = threading.Event(), stack.shop.service.url
    headers = {"authorization": f"Bearer {OPS_TOKEN}"}

    def ask() -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            while not stop.wait(0.3):
                client.post("/work")
                for path in ("/api/v1/reviews", "/api/v1/orders", "/jobs", "/nowhere"):
                    client.get(path)

    client = threading.Thread(target=ask)
    client.start()
    yield
    stop.set()
    client.join(60)


def start_prometheus(programs: Programs, prometheus: str, service: int, alertmanager: int) -> Program:
    """With prometheus.yml and every rule as they are, but for where things are, and the patience, which is seconds here."""
    home, port = programs.home / "prometheus", free_port()
    shutil.copytree(DEPLOY / "prometheus" / "rules", home / "rules")
    for file in (home / "rules").iterdir():
        file.write_text(impatient(file))
    token = home / "ops_token"
    token.write_text(OPS_TOKEN)
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    [[managers]] = [each["static_configs"] for each in config["alerting"]["alertmanagers"]]
    managers["targets"] = [f"127.0.0.1:{alertmanager}"]
    where = {"sovani-api": service, "prometheus": port, "alertmanager": alertmanager}
    config["scrape_configs"] = [each for each in config["scrape_configs"] if each["job_name"] in where]
    for each in config["scrape_configs"]:
        each["static_configs"] = [{"targets": [f"127.0.0.1:{where[each['job_name']]}"]}]
        if "authorization" in each:
            each["authorization"]["credentials_file"] = str(token)
    file = home / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    started = programs.start_command(
        prometheus,
        f"--config.file={file}",
        f"--storage.tsdb.path={home}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        port=port,
    )
    started.wait_for("/-/ready")
    return started


def impatient(file: Path) -> str:
    rules = yaml.safe_load(file.read_text())
    for group in rules["groups"]:
        group["interval"] = "2s"
        for rule in group["rules"]:
            if rule.get("alert") == "HighErrorRate":
                rule |= {"for": "3s", "expr": rule["expr"].replace("[5m]", "[15s]")}
    return yaml.safe_dump(rules, sort_keys=False)


def test_every_rule_is_loaded_and_can_be_evaluated(stack: Stack, capsys: pytest.CaptureFixture[str]):
    def evaluated() -> list[dict[str, Any]]:
        rules = [rule for group in stack.ask("rules")["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} == {"ok"}, [
            rule["lastError"] for rule in rules if "lastError" in rule
        ]
        return rules

    rules = eventually(evaluated)

    files = [yaml.safe_load(file.read_text()) for file in (DEPLOY / "prometheus" / "rules").glob("*.yml")]
    assert len(rules) == sum(len(group["rules"]) for file in files for group in file["groups"])
    with capsys.disabled():
        print(f"\n{len(rules)} rules are loaded and evaluated.")  # noqa: T201


def test_what_fails_reaches_the_phone_by_prometheus_and_alertmanager_and_so_does_its_end(
    stack: Stack, programs: Programs
):
    firing = ("HighErrorRate firing", "Job import_prices failing repeatedly")
    eventually(lambda: all(words in stack.phone() for words in firing), 150)
    (programs.home / "failing").unlink()

    ended = ("HighErrorRate resolved", "JobFailing resolved")
    eventually(lambda: all(words in stack.phone() for words in ended), 240)


def test_every_panel_of_every_dashboard_gives_data(stack: Stack, capsys: pytest.CaptureFixture[str]):
    """Over what the service did since; the scale of the graph is what Grafana would choose."""

    def data_of(query: Query) -> bool:
        expression = chosen(query.asked, "30s")
        now = time.time()
        found = stack.ask("query_range", query=expression, start=stack.began, end=now, step=2)["result"]
        return any(math.isfinite(float(value)) for series in found for _, value in series["values"])

    def without_data() -> list[tuple[str, str]]:
        return [
            (name, panel.title) for name, panel, query in PANELS if not data_of(query) and panel.title not in OTHERS
        ]

    def all_give_data() -> bool:
        assert without_data() == []
        return True

    eventually(all_give_data, 120)
    with capsys.disabled():
        print(f"\n{len({(n, p.title) for n, p, _ in PANELS})} panels with {len(PANELS)} queries give data.")  # noqa: T201


def test_grafana_shows_every_panel_of_what_prometheus_answers(
    stack: Stack, panel_checker: PanelChecker, capsys: pytest.CaptureFixture[str]
):
    """The JSON as it is deployed, by Grafana's own packages: every unit, reducer, transformation, colour and column is there."""

    def answer(target: dict[str, Any], now: float) -> Any:
        query = chosen(target["expr"], "30s")
        if target["instant"]:
            return stack.ask("query", query=query, time=now)["result"]
        return stack.ask("query_range", query=query, start=stack.began, end=now, step=5)["result"]

    def examined() -> list[Examined]:
        now = time.time()
        shown = [
            ShownPanel(
                f"{name}: {panel['title']}", panel, {each["refId"]: answer(each, now) for each in panel["targets"]}
            )
            for name, panel in deployed_panels()
        ]
        found = panel_checker.examine(shown)
        empty = {each.name for each in found if not each.shown} - {f"service: {title}" for title in OTHERS}
        assert empty == set()
        return found

    found = eventually(examined, 120)

    assert {each.name: each.problems for each in found if each.problems} == {}
    with capsys.disabled():
        print(f"\n{len(found)} panels are shown, such as {found[0].name}: {found[0].shown}.")  # noqa: T201


def test_a_slow_request_on_a_graph_links_to_its_trace(stack: Stack):
    def exemplars() -> Any:
        query = "http_request_duration_seconds_bucket"
        return stack.ask("query_exemplars", query=query, start=stack.began, end=time.time())

    [first, *_] = eventually(exemplars, 60)
    assert re.fullmatch("[0-9a-f]{32}", first["exemplars"][0]["labels"]["trace_id"])
