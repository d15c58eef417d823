"""Onlookers: people and programs that open the database's file beside the service, look, and leave."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.processes import Programs, eventually
from tests.support.sqlite import rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
APP = """
from service.main import create_app
from telemetry.jobs import monitor_job

app = create_app()


@app.post("/work")
def work():
    with monitor_job("work"):
        return {}
"""
LOOK = "import sqlite3; c = sqlite3.connect('var/sovani.db'); c.execute('SELECT count(*) FROM job_runs').fetchone(); c.close()"
CLIENTS, RUNS = 4, 100


def test_whoever_looks_into_the_database_and_leaves_takes_no_run_with_him(programs: Programs):
    """The last one who leaves a SQLite file removes its log: nobody may take himself for the last while the service is there."""
    programs.write("working.py", APP)
    service = programs.uvicorn("working:app", "--workers", "2", SCHEDULER="false")
    service.wait_for("/readyz")
    done = threading.Event()

    def look() -> int:
        looks = 0
        while not done.is_set():
            subprocess.run([sys.executable, "-c", LOOK], cwd=programs.home, check=True, timeout=60)
            looks += 1
        return looks

    def work(_client: int) -> None:
        with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
            for _ in range(RUNS):
                client.post("/work").raise_for_status()

    with ThreadPoolExecutor(CLIENTS + 1) as people:
        onlooker = people.submit(look)
        try:
            list(people.map(work, range(CLIENTS)))
        finally:
            done.set()

    assert onlooker.result() > 1
    recorded = "SELECT count(*), count(DISTINCT run_id), min(status), max(status) FROM job_runs WHERE job_name = 'work'"
    runs = CLIENTS * RUNS
    eventually(lambda: rows(programs.home / "var/sovani.db", recorded) == [(runs, runs, "success", "success")])
