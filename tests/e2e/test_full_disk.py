"""A disk that is physically full: the runs that end meanwhile keep their outcomes, also if their process is killed then."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL, Engine

from telemetry.database import create_engine, transaction
from telemetry.jobs.store.tables import JobRunRow
from tests.support.crash_worker import kill
from tests.support.processes import Programs, eventually

pytestmark = pytest.mark.e2e
RUNS = 20
WORKER = f"""
import os, sys, threading, time
from pathlib import Path

import telemetry
from telemetry.jobs import monitor_job

begun, full = threading.Barrier({RUNS} + 1), threading.Event()


def work(number):
    with monitor_job(f"job_{{number}}") as run:
        run.metadata["rows"] = ["x" * 1000] * number * 10
        begun.wait()
        full.wait()
        if number % 2:
            raise ValueError("no")


telemetry.start()
threading.excepthook = lambda raised: raised.exc_type is ValueError or os._exit(1)
workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range({RUNS})]
for worker in workers:
    worker.start()
begun.wait()
Path(sys.argv[1], "begun").touch()
while not Path(sys.argv[1], "full").exists():
    time.sleep(0.05)
full.set()
for worker in workers:
    worker.join()
telemetry.current().jobs.recorder._intake.flush(60)  # a job waits for a slow disk only for a moment
Path(sys.argv[1], "ended").touch()
time.sleep(600)
"""
NEXT = "import telemetry, time; telemetry.start(); time.sleep(600)"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("Only root may mount a disk.")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


def fill(disk: Path) -> Path:
    """Write until the disk takes not one byte more. Returns the file."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**16, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def outcomes(engine: Engine) -> dict[str, str | None]:
    with transaction(engine) as session:
        return dict(session.execute(select(JobRunRow.job_name, JobRunRow.outcome)).tuples().all())


@pytest.mark.timeout(240)
def test_runs_that_end_on_a_full_disk_keep_their_outcomes_through_a_kill(
    engine: Engine, small_disk: Path, programs: Programs
):
    url = engine.url
    if url.get_backend_name() == "sqlite":  # it is on that disk, and takes nothing either
        assert url.database is not None
        url = URL.create("sqlite", database=str(shutil.copy(url.database, small_disk / "jobs.db")))
    environment = {"DATABASE_URL": url.render_as_string(hide_password=False), "DATA_DIR": str(small_disk / "var")}
    worker = programs.start(str(programs.write("full_disk.py", WORKER)), str(programs.home), **environment)
    eventually(lambda: worker.process.poll() is not None or (programs.home / "begun").exists(), 90)
    assert worker.process.poll() is None, worker.said()

    filler = fill(small_disk)
    (programs.home / "full").touch()
    eventually((programs.home / "ended").exists, 60)
    kill(worker)
    filler.unlink()
    programs.start("-c", NEXT, **environment)

    expected = {f"job_{number}": "error" if number % 2 else "success" for number in range(RUNS)}
    opened = create_engine(url)
    eventually(lambda: outcomes(opened) == expected, 60)
    opened.dispose()
