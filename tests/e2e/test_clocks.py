"""Two machines on one database, one of whose clocks is half a minute ahead: a job that is due each second runs each once."""

import signal
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from telemetry.database import create_engine
from tests.support.processes import Programs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]
APP = """
import os
import time
from datetime import timedelta

import service.bootstrap
from service.database.clock import DatabaseClock
from service.jobs.schedule import Every
from service.scheduler.job import Job, Schedule

JOBS = (Job("each_second", Every(timedelta(seconds=1)), lambda context: time.sleep(0.1) or {}),)
service.bootstrap.JOBS = JOBS
service.bootstrap.DatabaseClock = lambda engine: DatabaseClock(engine, lambda: time.time() + float(os.environ["OFF_BY"]))

from service.main import create_app

app = create_app()
"""


def test_a_clock_that_is_off_neither_doubles_nor_skips_a_run(programs: Programs, postgres_engine):
    programs.write("each_second_off.py", APP)
    url = postgres_engine.url.render_as_string(hide_password=False)

    machines = [
        programs.uvicorn("each_second_off:app", DATABASE_URL=url, DATA_DIR=f"data{off}", OFF_BY=off)
        for off in ("0", "30", "-30")
    ]
    for machine in machines:
        machine.wait_for("/readyz", within=60)
    time.sleep(10)
    busiest = Counter(worker for _, worker in runs_of_each_second(postgres_engine)).most_common(1)[0][0]
    first_to_go = next(machine for machine in machines if busiest.endswith(f":{machine.process.pid}"))
    first_to_go.tell(signal.SIGTERM)  # the others have to go on in its place, with clocks of their own
    time.sleep(15)
    for machine in machines:
        machine.tell(signal.SIGTERM)
    for machine in machines:
        machine.exit_code(30)

    found = runs_of_each_second(postgres_engine)
    runs: Counter[datetime] = Counter(scheduled_for for scheduled_for, _ in found)
    first, last = min(runs), max(runs)
    due = {first + timedelta(seconds=number) for number in range(int((last - first).total_seconds()) + 1)}
    assert set(runs.values()) == {1}
    assert runs.keys() == due
    assert len(runs) >= 20
    assert len({worker for _, worker in found}) > 1


def runs_of_each_second(postgres_engine: Engine) -> list[tuple[datetime, str]]:
    """For which moment each run was, and who did it."""
    engine = create_engine(postgres_engine.url)
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT scheduled_for, worker FROM job_runs WHERE job_name = 'each_second'")
        ).all()
    engine.dispose()
    return [(scheduled_for, worker) for scheduled_for, worker in found]
