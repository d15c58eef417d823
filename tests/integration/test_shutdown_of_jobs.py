"""Stopping jobs: those of the service end by themselves at the signal, and `run-job` records its own as cancelled."""

import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.support.processes import Program, Programs, eventually
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e

PROGRAM = """
import sys
import time
from datetime import timedelta
from pathlib import Path

import service.cli.jobs
import service.bootstrap
from service.cli.parser import main
from service.scheduler.cadence import Every
from service.scheduler.job import Job, Schedule


def sleeps(_context):
    Path("began").touch()
    time.sleep(60)


JOBS = (Job("sleeps", Every(timedelta(days=1)), sleeps),)
service.bootstrap.JOBS = service.cli.jobs.JOBS = JOBS
sys.exit(main())
"""

JOBS = """
import time
from datetime import timedelta
from pathlib import Path

import service.bootstrap
import service.cli.serve
from service.scheduler.cadence import Every
from service.scheduler.job import Job


def asks(context):
    Path("asks").touch()
    while context.is_running():
        time.sleep(0.01)
    return {"told": True}


def waits(context):
    Path("waits").touch()
    context.clients._sleep.for_service("wb")(600, "pace")


DAILY = Every(timedelta(days=1))
JOBS = (Job("asks", DAILY, asks, catches_up=True), Job("waits", DAILY, waits, catches_up=True))
service.bootstrap.JOBS = service.cli.serve.JOBS = JOBS
"""
SERVE = """
import sys

import two_jobs  # noqa: F401  # in each worker as well
from service.cli.parser import main

if __name__ == "__main__":
    sys.exit(main())
"""
APP = """
import two_jobs
from service.main import app
"""
OPS_TOKEN = "correct-horse-battery"
MOST = 10.0
"""Seconds that only a hang takes: half of what a request that is not finished keeps `serve` from stopping."""


def start(programs: Programs, how: str, workers: int) -> Program:
    programs.write("two_jobs.py", JOBS)
    if how == "serve":
        return programs.start(
            str(programs.write("serving.py", SERVE)), "serve", "--workers", str(workers), OPS_TOKEN=OPS_TOKEN
        )
    programs.write("served.py", APP)
    return programs.uvicorn("served:app", "--workers", str(workers), OPS_TOKEN=OPS_TOKEN)


@contextmanager
def unfinished_requests(port: int, number: int) -> Generator[list[socket.socket]]:
    """So many that every worker has some. Each is sent as far as its headers, and the application waits for its body."""
    head = b"POST /api/v1/reviews/1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {OPS_TOKEN}\r\n".encode()
    opened = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(number)]
    try:
        for each in opened:
            each.sendall(head + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n")
            assert each.recv(100).startswith(b"HTTP/1.1 100 ")
            each.setblocking(False)
        yield opened
    finally:
        for each in opened:
            each.close()


def is_open(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(100))
    except BlockingIOError:
        return True


@pytest.mark.parametrize(
    ("how", "workers"),
    [
        ("serve", 1),
        ("uvicorn", 1),
        ("serve", 2),
        ("uvicorn", 3),
    ],
)
def test_jobs_hear_of_the_signal_at_once_whatever_requests_are_not_finished(
    programs: Programs, how: str, workers: int
) -> None:
    service, database = start(programs, how, workers), programs.home / "var/sovani.db"
    service.wait_for("/readyz")
    eventually(lambda: all((programs.home / name).exists() for name in ("asks", "waits")))

    def ended() -> bool:
        found = rows(database, "SELECT job_name, status, outcome, error_message FROM job_runs ORDER BY job_name")
        assert found == [
            ("asks", "success", "success", None),
            ("waits", "failed", "cancelled", "the service stops while this waits for wb"),
        ], service.said()
        return True

    with unfinished_requests(service.port, 8 * workers) as requests:
        service.tell(signal.SIGTERM)
        eventually(ended, MOST)
        still_open = [is_open(each) for each in requests]

    assert still_open == [True] * len(requests)
    assert service.exit_code() in {0, -signal.SIGTERM}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_job_that_is_told_to_stop_is_recorded_as_cancelled(
    programs: Programs, number: signal.Signals, code: int
) -> None:
    script, database = programs.write("alone.py", PROGRAM), programs.home / "var/sovani.db"
    command = programs.start(str(script), "run-job", "sleeps")
    eventually((programs.home / "began").exists)

    command.tell(number)

    assert command.exit_code() == code, command.said()
    assert command.err.read_text().splitlines()[-1] == "sleeps was stopped."
    assert "Traceback" not in command.said()
    assert rows(database, "SELECT status, outcome, error_message FROM job_runs") == [
        ("failed", "cancelled", "the command received a stop signal")
    ]
    assert rows(database, "SELECT holder, held_until FROM schedule_claims") == [(None, None)]
