"""Stopping four workers: no new jobs, a grace for those that run, requests answered, and everything recorded as it was."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.processes import Programs, eventually
from tests.support.sqlite import rows

APP = """
import time
from datetime import timedelta

import service.bootstrap
from service.jobs.schedule import Every
from service.scheduler.job import Job, Schedule


def endless(_context):
    while True:
        time.sleep(0.01)


def short(_context):
    time.sleep(1.5)
    return {"done": 1}


DAILY = Every(timedelta(days=1))
JOBS = (Job("endless", DAILY, endless, catches_up=True), Job("short", DAILY, short, catches_up=True))
service.bootstrap.JOBS = JOBS

from service.main import create_app

app = create_app()


@app.get("/slow")
def slow():
    time.sleep(1.5)
    return {"answered": True}
"""


@pytest.mark.e2e
def test_four_workers_stop_together_within_the_grace_and_tell_each_run_as_it_was(programs: Programs):
    programs.write("stopping.py", APP)
    service = programs.uvicorn("stopping:app", "--workers", "4", JOB_GRACE_SECONDS="3")
    database = programs.home / "var/sovani.db"
    service.wait_for("/readyz", within=60)

    def both_have_begun() -> bool:
        begun = rows(database, "SELECT job_name, status, started_at FROM job_runs")
        assert {name for name, *_ in begun} == {"endless", "short"}, f"{begun}\n{service.said()}"
        return True

    eventually(both_have_begun)

    with ThreadPoolExecutor(1) as client:
        answer = client.submit(service.get, "/slow")
        time.sleep(0.3)
        told = service.tell(signal.SIGTERM)
        assert service.exit_code(30) == 0
        took = time.monotonic() - told

    assert answer.result(10).json() == {"answered": True}
    assert rows(database, "SELECT job_name, status, outcome, error_message FROM job_runs ORDER BY job_name") == [
        ("endless", "failed", "cancelled", "the service stops"),
        ("short", "success", "success", None),
    ]
    assert rows(database, "SELECT holder, held_until FROM schedule_claims") == [(None, None)] * 2
    assert 2.5 < took < 15  # the grace, and not one for each worker after the other
