"""The how-to pages for developers: their own code blocks, applied to a copy of the repository, do what the pages say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.how_to_pages import HOW_TO, changed_files, commands, copy_repository, printed
from tests.support.processes import Programs, eventually, free_port
from tests.support.sqlite import rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800), pytest.mark.xdist_group("how_to_pages")]
PAGES = [HOW_TO / f"{name}.md" for name in ("add-a-job", "add-a-metric", "add-a-marketplace")]
PYTHON = ".venv/bin/python "


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory):
    """The repository with the code of the pages, and the variables of a sandbox of its own."""
    home = tmp_path_factory.mktemp("changed")
    copy_repository(home, changed_files(PAGES))
    programs = Programs(home)
    yield programs, {"PYTHONPATH": str(home), "SANDBOX": "true", "SANDBOX_PORT": str(free_port())}
    programs.kill()


@pytest.fixture(scope="module")
def said(changed) -> dict[str, list[str]]:
    """What the commands of each page print, in the order of the pages."""
    programs, variables = changed
    return {page.name: [_run(programs, command, variables) for command in _local(page)] for page in PAGES}


def _local(page: Path) -> list[str]:
    """The commands of a page that need neither a running service nor make."""
    return [command.removeprefix(PYTHON) for command in commands(page) if command.startswith(PYTHON)]


def _run(programs: Programs, command: str, variables: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *shlex.split(command)],
        cwd=programs.home,
        env=programs.environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def _alike(line: str) -> str:
    """A line without what differs from run to run: how long it took, and how many rows there are by then."""
    return re.sub(r"[0-9]+(?:\.[0-9]+)?", "…", line)


def test_the_commands_of_the_pages_print_what_the_pages_say(said):
    for page in PAGES:
        found = {_alike(line) for text in said[page.name] for line in text.splitlines()}
        expected = [line for text in printed(page) for line in text.splitlines() if "{source=" not in line]
        # The pages are followed one after the other here: a file that an earlier page made may be as it should be by then.
        missing = [line for line in expected if _alike(line) not in found and not line.endswith((" made", " written"))]
        assert not missing, (page.name, found)
        assert expected


def test_the_new_jobs_are_listed_and_their_runs_are_rows(changed, said):
    programs, variables = changed

    listed = _run(programs, "-m service jobs", variables)
    runs = rows(programs.home / "var/sovani.db", "SELECT job_name, status FROM job_runs ORDER BY id")

    assert {"delete_old_invalid_rows", "sync_bazaar_orders"} <= {line.split()[0] for line in listed.splitlines()}
    assert runs == [("delete_old_invalid_rows", "success"), ("sync_bazaar_orders", "success")]


def test_the_new_metric_the_new_jobs_and_the_new_marketplace_are_served(changed, said):
    programs, variables = changed
    [(stored,)] = rows(programs.home / "var/sovani.db", "SELECT count(*) FROM orders WHERE marketplace = 'bazaar'")
    service = programs.serve(**variables)

    def look() -> str:
        page = service.get("/metrics").text
        assert 'scheduler_jobs_total{job_name="delete_old_invalid_rows",status="success"}' in page
        assert 'external_api_requests_total{service="bazaar",endpoint="/orders",status="200"}' in page
        return page

    page = eventually(look, within=180)
    orders = service.get("/api/v1/orders").json()["orders"]

    assert stored >= 120
    assert 'invalid_rows_deleted_total{source="wb.reviews"} 0' in page
    assert "bazaar" in {order["marketplace"] for order in orders}


def test_what_the_pages_write_keeps_the_rules_of_the_repository(changed, said):
    programs, variables = changed
    for command in ("-m ruff check .", "-m ruff format --check .", "-m tools.house"):
        _run(programs, command, variables)
