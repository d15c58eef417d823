"""What the end-to-end tests share: the programs that pip can't bring, and the service under them."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs import Program, Programs, free_port

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


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    programs = Programs(tmp_path_factory.mktemp("e2e"))
    yield programs
    programs.kill()


@pytest.fixture(scope="session")
def prometheus() -> str:
    return _installed("prometheus")


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
def promtool() -> str:
    return _installed("promtool")


def _installed(program: str) -> str:
    """Where it is; without it a test is skipped, but never in CI."""
    if path := shutil.which(program):
        return str(Path(path))
    if os.environ.get("CI"):
        pytest.fail(f"{program} is not on the PATH, and CI is set: nothing is left out there.")
    pytest.skip(f"{program} is not on the PATH.")
