"""Several processes keep traces in one file: killed, with the file damaged and deleted meanwhile, and in a flood."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from telemetry.recent.database import RecentDatabase
from telemetry.recent.keeping import size_limits
from telemetry.recent.trace_queries import TraceQueries
from tests.support.processes import Programs, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KEEPER: Final = """
import sys
import time

import telemetry
from telemetry.jobs import monitor_job
from telemetry.settings import TelemetrySettings

started = telemetry.start(settings=TelemetrySettings(telemetry_jobs=False, telemetry_alerts=False), logs=False)
started.recent.activate()
print("runs", flush=True)
for number in range(10_000):
    with monitor_job(f"job-{sys.argv[1]}"):
        pass
    time.sleep(0.05)
"""
FLOOD: Final = """
import sys
import time

import telemetry
from opentelemetry.trace import StatusCode
from telemetry.settings import TelemetrySettings

started = telemetry.start(settings=TelemetrySettings(telemetry_jobs=False, telemetry_alerts=False), logs=False)
started.recent.activate()
tracer = started.tracer_provider.get_tracer("flood")
begin, number = time.monotonic(), 0
while time.monotonic() - begin < float(sys.argv[1]):
    for _ in range(100):
        with tracer.start_as_current_span(f"GET /{number % 300}", attributes={"text": "x" * 300}) as span:
            for step in range(4):
                tracer.start_span(f"step {step}", attributes={"statement": f"SELECT {number} " * 20}).end()
            if number % 3:
                span.set_status(StatusCode.ERROR)
        number += 1
    time.sleep(max(0.0, begin + number / 1000 - time.monotonic()))
telemetry.shutdown(60)
print(number, started.recent._context.drops.numbers(), started.recent.database.size())
"""


@pytest.fixture
def path(programs: Programs) -> Path:
    return programs.home / "var" / "recent.db"


def counts(path: Path) -> dict[str, int]:
    """The runs that are kept, by job. None while the file is not there, or cannot be read."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        return dict(connection.execute("SELECT name, count(*) FROM traces GROUP BY name"))


def grows(path: Path, names: set[str]) -> bool:
    """Waits until each of the processes has added to the file."""

    def all_there() -> bool:
        try:
            return counts(path).keys() >= names
        except sqlite3.Error:
            return False

    return eventually(all_there, within=120)


def test_processes_that_are_killed_and_a_file_that_is_lost_cost_the_others_nothing(programs: Programs, path: Path):
    programs.write("keeper.py", KEEPER)
    keepers = {name: programs.start_command(sys.executable, "-m", "keeper", name, port=0) for name in "abcd"}
    names = {f"job-{name}" for name in keepers}
    assert grows(path, names)

    keepers.pop("a").kill()
    path.write_bytes(b"\x55" * path.stat().st_size)
    assert grows(path, names - {"job-a"})

    for each in path.parent.glob("recent.db*"):
        each.unlink()
    assert grows(path, names - {"job-a"})
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("seconds", [60])
def test_a_flood_of_a_thousand_traces_a_second_keeps_the_limit(programs: Programs, path: Path, seconds: int):
    programs.write("flood.py", FLOOD)
    done = programs.run("-m", "flood", str(seconds))
    assert done.returncode == 0, done.stderr

    database = RecentDatabase(path)
    kept = TraceQueries(database).search(limit=100_000)
    assert path.stat().st_size <= size_limits.MAX_BYTES
    assert {each.kept_as for each in kept} > {"failed"}  # the others are samples, or slow where the machine is
    database.close()
