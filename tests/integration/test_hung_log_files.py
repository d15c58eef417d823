"""Files, locks and pipes that hang: the event loop goes on, the console and the alerts too, and the process ends."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.e2e

BOUND = 120  # seconds that only a hang exceeds

SERVE = """
import asyncio, logging, os, sqlite3, sys
from telemetry import setup
from telemetry.database import create_engine
from telemetry.settings import TelemetrySettings
from service.database import migrations
engine = create_engine("sqlite:///" + os.environ["DATABASE_FILE"])
migrations.migrate(engine)
built = setup.start(engine=engine, settings=TelemetrySettings(enable_json_logging=True))
log = logging.getLogger("shop")
async def main():
    for number in range(100):
        log.info("line %d", number)
        log.error("order %d failed", number)
        await asyncio.sleep(0)
asyncio.run(main())
print("the loop has ended", flush=True)
setup.shutdown()
if "outbox" in sys.argv:
    outbox = sqlite3.connect(os.environ["DATA_DIR"] + "/alerts/outbox.db")
    print(outbox.execute("SELECT sum(count) FROM incidents WHERE component = 'shop'").fetchone()[0], flush=True)
"""


@contextmanager
def serving(home: Path, *arguments: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    environment = {"DATA_DIR": home / "data", "LOG_DIR": home / "log", "DATABASE_FILE": home / "jobs.db"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, *arguments],
        env={**os.environ, **{name: str(path) for name, path in environment.items()}, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "log"
    directory.mkdir()
    return directory


@contextmanager
def neighbour(lock: Path) -> Iterator[None]:
    """Another process that holds the lock of the log, and has stopped."""
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.kill()


def test_a_log_file_that_is_a_pipe_without_a_reader(tmp_path: Path, log_dir: Path) -> None:
    os.mkfifo(log_dir / "alerts.log")

    with serving(tmp_path, "outbox") as process:
        out, err = process.communicate(timeout=BOUND)

    assert out.splitlines() == ["the loop has ended", "100"]
    assert "LOG_DIR" in err
    assert "no response within 2 s" in err
    assert err.count(" - ERROR - order ") == 100


def test_a_stopped_neighbour_that_holds_the_lock_of_the_log(tmp_path: Path, log_dir: Path) -> None:
    with neighbour(log_dir / ".__alerts.lock"), serving(tmp_path, "outbox") as process:
        out, err = process.communicate(timeout=BOUND)

    assert out.splitlines() == ["the loop has ended", "100"]
    assert err.count(" - ERROR - order ") == 100


def test_when_the_neighbour_goes_the_log_is_written_in_order(tmp_path: Path, log_dir: Path) -> None:
    with (log_dir / ".__alerts.lock").open("w") as lock, serving(tmp_path) as process:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert process.stdout is not None
        assert process.stdout.readline() == "the loop has ended\n"
        lock.close()
        process.communicate(timeout=BOUND)

    lines = (log_dir / "alerts.log").read_text().splitlines()
    assert [line.rpartition(" - ")[2] for line in lines if " - shop - " in line] == [
        f"order {number} failed" for number in range(100)
    ]


def test_a_console_that_nobody_reads(tmp_path: Path, log_dir: Path) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)

    with serving(tmp_path, "outbox", stderr=write) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["the loop has ended\n", "100\n"]
        process.wait(BOUND)

    os.close(read)
    os.close(write)
    assert "order 99 failed" in (log_dir / "alerts.log").read_text()


def test_an_outbox_that_another_process_holds(tmp_path: Path, log_dir: Path) -> None:
    holder = """
import sqlite3, sys, time
from pathlib import Path
Path(sys.argv[1]).parent.mkdir(parents=True)
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "data" / "alerts" / "outbox.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.send_signal(signal.SIGSTOP)
        with serving(tmp_path) as process:
            out, err = process.communicate(timeout=BOUND)
        other.kill()

    assert out == "the loop has ended\n"
    assert err.count(" - ERROR - order ") == 100
