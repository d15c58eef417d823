"""The first minute of a healthy sandbox: its log has no warning, and no line of a library."""

import re

import pytest

from tests.support.processes import Programs, eventually
from tests.support.sandboxed_service import SandboxedService

RUNS = 4  # of the job that runs every 15 seconds
LEVEL = re.compile(r" - (WARNING|ERROR|CRITICAL) - ")
LIBRARY = re.compile(r" - (uvicorn|alembic)[.\w]* - ")


@pytest.mark.e2e
@pytest.mark.timeout(720)  # the sum of the waits' bounds, which only a hang reaches
def test_the_log_of_a_healthy_sandbox_has_no_warning_and_no_line_of_a_library(programs: Programs):
    shop = SandboxedService.start(programs, ALERT_THRESHOLD_DISK="100", ALERT_THRESHOLD_MEMORY="100")

    shop.service.wait_for("/readyz", within=180)
    eventually(shop.first_results, within=180)
    drafting = "/jobs/status?job_name=generate_advice&status=success&limit=1000"
    eventually(lambda: len(shop.get_json(drafting)["runs"]) >= RUNS, within=300)

    lines = shop.service.said().splitlines()
    assert [line for line in lines if LEVEL.search(line) or LIBRARY.search(line)] == []
    assert any(" - service.bootstrap - INFO - Ready (process " in line for line in lines)
    assert not (alerts := programs.home / "var/log/alerts.log").exists() or alerts.read_text() == ""
