"""Stopping `run-job`: whoever ends it finds the run recorded as cancelled, and the next one may begin at once."""

import signal

import pytest

from tests.support.processes import Programs, eventually
from tests.support.sqlite import rows

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
        ("failed", "cancelled", "the command was told to stop")
    ]
    assert rows(database, "SELECT holder, held_until FROM schedule_claims") == [(None, None)]
