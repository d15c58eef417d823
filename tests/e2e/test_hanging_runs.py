"""Jobs of a real service that hang: the alert about each of them, as the phone has it, names the line."""

import re
from typing import Final

import httpx
import pytest
from sqlalchemy.engine import URL

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxes import StartedSandbox

pytestmark = pytest.mark.e2e
SERVICE: Final = """
import asyncio
import runpy
import socket
import threading
import time
from datetime import timedelta

import service.bootstrap
from service.jobs.schedule import Every
from service.scheduler.job import Job


def receives(context):
    here, there = socket.socketpair()
    with here, there:
        here.recv(1)  # receives hangs


def waits_for_lock(context):
    lock = threading.Lock()
    lock.acquire()
    with lock:  # waits_for_lock hangs
        pass


def queries(context):
    with context.engine.connect() as connection:
        if connection.dialect.name == "sqlite":  # where nothing sleeps
            connection.connection.driver_connection.create_function("pg_sleep", 1, time.sleep)
        connection.exec_driver_sql("SELECT pg_sleep(600)")  # queries hangs


async def awaits_event():
    await asyncio.Event().wait()  # awaits hangs


def awaits(context):
    asyncio.run(awaits_event())


service.bootstrap.JOBS = tuple(
    Job(job.__name__, Every(timedelta(days=1)), job, max_runtime=timedelta(seconds=1))
    for job in (receives, waits_for_lock, queries, awaits)
)
runpy.run_module("service", run_name="__main__")
"""
_HANGS_AT: Final = re.compile(r"^Hangs at: \S*hanging\.py:(\d+) in ", re.MULTILINE)
JOBS: Final = ("receives", "waits_for_lock", "queries", "awaits")


def line_of(job: str) -> int:
    [number] = [number for number, line in enumerate(SERVICE.splitlines(), 1) if f"# {job} hangs" in line]
    return number


def start(service: Program, job: str) -> None:
    url, body = f"{service.url}/jobs/{job}/run", {"by": "the test"}
    httpx.post(url, json=body, timeout=30, trust_env=False).raise_for_status()


def lines_on_phone(sandbox: StartedSandbox) -> dict[str, list[int]]:
    """The lines that the messages about each job name."""
    texts = [message["text"] for message in sandbox.expected_state("telegram", "messages")]
    found = {job: [_HANGS_AT.findall(text) for text in texts if f"Job {job} has been running" in text] for job in JOBS}
    return {job: [int(line) for lines in each for line in lines] for job, each in found.items()}


@pytest.mark.timeout(240)
def test_the_alert_on_the_phone_names_the_line_at_which_each_job_hangs(database_url: URL, programs: Programs):
    sandbox = StartedSandbox.start(programs)
    service = programs.start(
        str(programs.write("hanging.py", SERVICE)),
        "serve",
        DATABASE_URL=database_url.render_as_string(hide_password=False),
        DATA_DIR=database_url.get_backend_name(),
        TELEGRAM_TOKEN=TELEGRAM_TOKEN,
        MANAGER_CHAT_ID=TELEGRAM_CHAT_ID,
        TELEGRAM_API_URL=f"{sandbox.url}/telegram",
        SANDBOX="false",
    )
    service.wait_for("/readyz")
    for job in JOBS:
        start(service, job)

    found = eventually(lambda: all((lines := lines_on_phone(sandbox)).values()) and lines, within=90)

    assert found == {job: [line_of(job)] for job in JOBS}
    runs = {run["job_name"]: run for run in service.get("/jobs/status?status=running").json()["runs"]}
    assert sorted(runs) == sorted(JOBS)
    for job in JOBS:
        whole = service.get(f"/jobs/runs/{runs[job]['run_id']}").json()["overdue_stack"]
        assert whole.startswith(runs[job]["overdue_stack"])
        assert f"hanging.py:{line_of(job)} in " in runs[job]["overdue_stack"]
        assert "\nThread " in whole
