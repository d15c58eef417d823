"""What the end-to-end tests share: the programs that pip can't bring, and the service under them."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.sandbox import credentials
from telemetry.database import create_engine
from tests.support.browser import Chromium, Visit
from tests.support.browser import chromium as start_chromium
from tests.support.faulty_shop import Place
from tests.support.panels import PanelChecker
from tests.support.processes import ROOT, Program, Programs, eventually, free_port
from tests.support.sandboxed_service import OPS_TOKEN, SandboxedService
from tests.support.sandboxes import StartedSandbox
from tools import go_programs, node_packages

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: sovani
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""
Scrape = Callable[..., Program]
StartAlertmanager = Callable[[str], Program]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    programs = Programs(tmp_path_factory.mktemp("e2e"))
    yield programs
    programs.kill()


@pytest.fixture
def settle(programs: Programs, tmp_path: Path) -> Iterator[Callable[[StartedSandbox], Place]]:
    """A place for a service, with a database of its own, beside the given sandbox. All programs end with the test."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    yield lambda world: Place.at(programs, tmp_path, engine, world)
    engine.dispose()
    programs.kill()


@pytest.fixture(scope="session")
def prometheus() -> str:
    return _installed("prometheus")


@pytest.fixture(scope="session")
def pgbouncer() -> str:
    return _installed("pgbouncer")


@pytest.fixture(scope="module")
def scrape(programs: Programs, prometheus: str) -> Scrape:
    """Starts a Prometheus that scrapes a service each second."""

    def start(service: Program, *flags: str) -> Program:
        port = free_port()
        config = programs.write(f"prometheus-{port}.yml", CONFIG.format(port=service.port))
        started = programs.start_command(
            prometheus,
            f"--config.file={config}",
            f"--storage.tsdb.path={programs.home / f'tsdb-{port}'}",
            f"--web.listen-address=127.0.0.1:{port}",
            *flags,
            port=port,
        )
        started.wait_for("/-/ready")
        return started

    return start


@pytest.fixture(scope="session")
def otelcol() -> Path:
    return _built(go_programs.collector())


@pytest.fixture(scope="session")
def deployed_prometheus() -> Path:
    """The version of docker-compose.yml; `prometheus` is the older one of the machine."""
    return _built(go_programs.prometheus())


@pytest.fixture(scope="session")
def victorialogs() -> Path:
    return _built(go_programs.victorialogs(), "make stores")


@pytest.fixture(scope="session")
def jaeger() -> Path:
    return _built(go_programs.jaeger(), "make stores")


@pytest.fixture(scope="session")
def dashboard_checker() -> str:
    return str(_built(go_programs.dashboard_checker()))


@pytest.fixture(scope="session")
def kustomize() -> Path:
    return _built(go_programs.kustomize())


@pytest.fixture(scope="session")
def kube_score() -> Path:
    return _built(go_programs.kube_score())


@pytest.fixture(scope="session")
def panel_checker() -> PanelChecker:
    """By the packages of the Grafana of docker-compose.yml; without Node.js they are not to be had."""
    if shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("node is not on the PATH, and CI is set: nothing is left out there.")
        pytest.skip("node is not on the PATH.")
    if not (packages := node_packages.packages()).exists():
        pytest.fail(f"{packages.name} is not installed: make node")
    return PanelChecker(packages)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The browser of the machine, with axe for what keeps people out of a page."""
    _installed("chromium")
    if not node_packages.packages().exists():
        pytest.fail("axe is not installed: make node")
    with start_chromium() as started:
        yield started


@pytest.fixture(scope="module")
def running(programs: Programs) -> SandboxedService:
    """Two workers with a sandbox of their own, after a run of each job."""
    started = SandboxedService.start(programs, "--workers", "2")
    eventually(started.first_results, within=300)
    return started


@pytest.fixture
def visit(chromium: Chromium, running: SandboxedService) -> Iterator[Visit]:
    """Signed in at the console. In the end there was no error in the browser, and no request to another host."""
    with chromium.visit(running.service.url) as made:
        made.sign_in(OPS_TOKEN)
        yield made
        assert (made.errors, made.foreign) == ([], [])


@pytest.fixture(scope="session", params=["installed", "deployed"])
def promtool(request: pytest.FixtureRequest) -> str:
    return _installed("promtool") if request.param == "installed" else str(_built(go_programs.promtool()))


@pytest.fixture(scope="session")
def alertmanager() -> str:
    return _installed("prometheus-alertmanager")


@pytest.fixture(scope="module")
def start_alertmanager(programs: Programs, alertmanager: str) -> StartAlertmanager:
    """Starts it by its own start, with quicker groups; its Telegram is that of a sandbox, given by its URL."""

    def start(sandbox: str) -> Program:
        home = programs.home / "alertmanager"
        shutil.copytree(ROOT / "deploy" / "alertmanager", home)
        file = home / "alertmanager.yml"
        text = re.sub(r"group_wait: \S+", "group_wait: 1s", file.read_text())
        file.write_text(re.sub(r"group_interval: \S+", "group_interval: 2s", text))
        (home / "bin").mkdir()
        (home / "bin" / "alertmanager").symlink_to(alertmanager)
        port = free_port()
        started = programs.start_command(
            "sh",
            str(home / "start.sh"),
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            f"--storage.path={home}/data",
            port=port,
            PATH=f"{home}/bin:{os.environ['PATH']}",
            TELEGRAM_API_URL=f"{sandbox}/telegram",
            TELEGRAM_TOKEN=credentials.TELEGRAM_TOKEN,
            MANAGER_CHAT_ID=credentials.TELEGRAM_CHAT_ID,
            ALERTMANAGER_CONFIG=str(home / "made.yml"),
        )
        started.wait_for("/-/ready")
        return started

    return start


def _built(program: Path, by: str = "make collector") -> Path:
    """Without Go it is not to be had, and then nothing can be seen of it."""
    if program.exists():
        return program
    if shutil.which("go") is None:
        pytest.skip(f"{program.name} is built from a Go module, and Go is not on the PATH.")
    pytest.fail(f"{program.name} is not built: {by}")


def _installed(program: str) -> str:
    """Where it is; without it a test is skipped, but never in CI."""
    if path := shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
        return str(Path(path))
    if os.environ.get("CI"):
        pytest.fail(f"{program} is not on the PATH, and CI is set: nothing is left out there.")
    pytest.skip(f"{program} is not on the PATH.")
