"""docker-compose.yml, read by the reader that `docker compose` has: its schema, its variables, what depends on what."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tools import go_programs

pytestmark = pytest.mark.e2e
WANTED = ("POSTGRES_PASSWORD", "OPS_TOKEN", "GRAFANA_PASSWORD", "TELEGRAM_TOKEN", "MANAGER_CHAT_ID")


@pytest.fixture(scope="session")
def reader() -> Path:
    if (program := go_programs.compose_reader()).exists():
        return program
    if shutil.which("go") is None:
        pytest.skip("The reader is built from Go modules, and Go is not on the PATH.")
    pytest.fail("The reader is not built: make collector")


def read(reader: Path, *wanted: str, **others: str) -> subprocess.CompletedProcess[str]:
    """With these variables set."""
    environment = {"PATH": os.environ["PATH"], **dict.fromkeys(wanted, "12345678"), **others}
    command = [reader, ROOT / "docker-compose.yml"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_compose_takes_it(reader: Path):
    done = read(reader, *WANTED)

    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert len(services) == 10
    assert services["sovani"]["environment"]["DATABASE_URL"].startswith("postgresql+psycopg://sovani:12345678@postgres")


def test_the_profile_adds_its_stores(reader: Path):
    plain, with_profile = (
        json.loads(read(reader, *WANTED, **variables).stdout)["services"]
        for variables in ({}, {"COMPOSE_PROFILES": "open"})
    )

    assert with_profile.keys() - plain.keys() == {"jaeger", "victorialogs"}


@pytest.mark.parametrize(("given", "names"), [("", ""), ("shop.example", "shop.example,sovani,scheduler")])
def test_prometheus_reaches_the_containers_whatever_names_are_allowed(reader: Path, given: str, names: str):
    services = json.loads(read(reader, *WANTED, ALLOWED_HOSTS=given).stdout)["services"]

    assert {services[name]["environment"]["ALLOWED_HOSTS"] for name in ("sovani", "scheduler")} == {names}


@pytest.mark.parametrize("missing", WANTED)
def test_what_is_not_set_is_named(reader: Path, missing: str):
    done = read(reader, *set(WANTED) - {missing})

    assert done.returncode != 0
    assert re.search(rf"{missing}.*set it in \.env", done.stderr)
