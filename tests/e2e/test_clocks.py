"""Clocks: those of two machines differ, and one is set back, forward, or forward from 1970, while the service runs and over a restart."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from telemetry.database import create_engine
from tests.soak.program import FAILING_ROUTE, SHORT_EVERY, SHORT_JOB, SoakedService, start_sandbox
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxed_service import SandboxedService
from tests.support.sandboxes import SandboxClient
from tests.support.set_clock import MachineClock, PostgresClock

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
HOUR = 3600.0
SOON_AGAIN = 15 * SHORT_EVERY
"""Seconds within which a job that is due every two runs again: the machine that tests is busy."""
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


@dataclass
class World:
    """A service whose clocks a test sets, and its sandbox, whose clock is right."""

    programs: Programs
    sandbox: Program
    url: str
    workers: int
    clock: MachineClock
    set_clocks: Callable[[float], None]
    offset: float = 0.0
    service: SandboxedService = field(init=False)

    def start(self) -> None:
        disk = self.programs.home
        running = SoakedService.start(self.programs, disk, self.url, sandbox=self.sandbox, workers=self.workers)
        self.service = SandboxedService.at(running.service, self.sandbox.port)

    def stop(self) -> None:
        self.service.service.tell(signal.SIGTERM)
        assert self.service.service.exit_code(60) in {0, -signal.SIGTERM}  # one worker ends by the signal

    def set_to(self, offset: float) -> None:
        self.offset = offset
        self.set_clocks(offset)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def runs(self) -> set[str]:
        found = self.service.get(f"/jobs/status?job_name={SHORT_JOB}&status=success&limit=1000").json()["runs"]
        return {run["run_id"] for run in found}

    def runs_again(self, within: float = SOON_AGAIN) -> None:
        before = self.runs()
        eventually(lambda: len(self.runs() - before) >= 2, within)

    def total(self, name: str) -> float:
        families = text_string_to_metric_families(self.service.get("/metrics").text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def alerts_of_the_clock(self) -> int:
        alerts = self.service.get("/alerts").json()["alerts"]
        return sum(alert["count"] for alert in alerts if alert["text"].startswith("The clock was"))

    def tells(self, kind: str) -> None:
        """An error that is raised now reaches Telegram."""
        self.service.get(f"{FAILING_ROUTE}/{kind}")
        messages = SandboxClient.at(self.sandbox.port)
        eventually(lambda: kind in str(messages.expected_state("telegram", "messages")), 60)

    def is_right(self) -> None:
        """The probes, and what `/jobs` says of now."""
        for path in ("/livez", "/readyz", "/healthz"):
            eventually(lambda path=path: self.service.get(path).status_code == 200)
        jobs = self.service.get("/jobs").json()["jobs"]
        [often] = [job for job in jobs if job["job_name"] == SHORT_JOB]
        assert abs(moment(often["last_run"]) - self.now()) < timedelta(minutes=1)
        assert all(moment(job["next_run"]) - self.now() > timedelta(seconds=-30) for job in jobs)
        assert moment(often["next_run"]) - self.now() < timedelta(minutes=1)
        assert {job["state"] for job in jobs} <= {"scheduled", "running"}
        assert sum(job["missed_last_day"] for job in jobs) == 0
        assert self.total("scheduler_runs_missed_total") == self.total("scheduler_runs_overdue_total") == 0
        assert often["downtime_last_day"] < 100  # ticks while it was started anew, at most; an hour has 1,800


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., World]]:
    programs = Programs(tmp_path)

    def make(database: str, workers: int, clocks: str = "both") -> World:
        machine, sandbox = MachineClock(programs), start_sandbox(programs, faults=0.0)
        if database == "sqlite":
            return World(programs, sandbox, f"sqlite:///{tmp_path / 'clocks.db'}", workers, machine, machine.set)
        engine = request.getfixturevalue("postgres_engine")
        postgres, url = PostgresClock(engine), engine.url.render_as_string(hide_password=False)
        setters = {
            "both": lambda seconds: postgres.set(seconds, machine),
            "machine": machine.set,
            "database": postgres.set,
        }
        return World(programs, sandbox, url, workers, machine, setters[clocks])

    yield make
    programs.kill()


@pytest.mark.parametrize(
    ("begins", "database", "workers"),
    [
        pytest.param(HOUR, "sqlite", 1, id="back-sqlite"),
        pytest.param(HOUR, "postgresql", 2, id="back-postgresql"),
        pytest.param(-HOUR, "postgresql", 2, id="forward-postgresql"),
        pytest.param(None, "sqlite", 1, id="from 1970-sqlite"),  # forward, and by more than an hour
    ],
)
def test_after_the_clock_was_set_jobs_run_and_alerts_are_told_and_nothing_is_invented(
    world, database, workers, begins, capsys
):
    """It is wrong at first, is set right while the service runs, and wrong again by an hour while it is started anew."""
    at = world(database, workers)
    at.set_to(300 - time.time() if begins is None else begins)
    at.start()
    at.runs_again()

    at.set_to(0)
    at.runs_again()
    eventually(at.alerts_of_the_clock)
    at.tells("FirstError")
    time.sleep(20)  # ticks are judged after their grace; what the monitor finds wrong it says by then
    at.is_right()
    assert at.alerts_of_the_clock() == 1

    at.stop()
    at.set_to(-HOUR if begins == HOUR else HOUR)
    at.start()
    at.runs_again()
    at.tells("SecondError")
    time.sleep(20)
    at.is_right()
    assert at.alerts_of_the_clock() == 2


@pytest.mark.parametrize("by", [HOUR, -HOUR])
@pytest.mark.parametrize("clocks", ["machine", "database"])
def test_when_one_of_the_two_clocks_is_set_the_databases_counts(world, clocks, by):
    """The machine's is corrected at once. The database's is asked for every 30 seconds, and a set one is said then."""
    at = world("postgresql", 2, clocks)
    at.start()
    at.runs_again()

    at.set_clocks(by)
    at.offset = by if clocks == "database" else 0
    at.runs_again(SOON_AGAIN if clocks == "machine" else SOON_AGAIN + 30)
    at.tells("OneClock")
    time.sleep(75)  # runs of more than their maximum would be overdue by then, and ticks missed

    jobs = at.service.get("/jobs").json()["jobs"]
    assert all(abs(moment(job["next_run"]) - at.now()) < timedelta(days=1, minutes=1) for job in jobs)
    assert min(moment(job["next_run"]) for job in jobs) - at.now() < timedelta(minutes=1)
    assert at.total("scheduler_runs_missed_total") == at.total("scheduler_runs_overdue_total") == 0
    assert at.alerts_of_the_clock() == (1 if clocks == "database" else 0)
    said = at.service.service.said().splitlines()
    assert sum("This machine's clock differs" in line and "more within" not in line for line in said) == 2
    at.stop()
