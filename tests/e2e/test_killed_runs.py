"""Killed jobs: hundreds of runs are killed with -9 at random moments, and one machine goes with its disk."""

import logging
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from tests.support.crash_worker import CrashWorkers, RunComparison, kill
from tests.support.processes import Programs, eventually

_log = logging.getLogger(__name__)
pytestmark = pytest.mark.e2e
WITHIN = 60.0
KILLS = int(os.environ.get("KILLS", "24"))  # processes, on each of the two databases; 40 are a full proof
KILLED = KILLS * 4  # runs in them, at the least: those of a busy machine


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


@pytest.mark.timeout(400)
def test_of_hundreds_of_runs_that_are_killed_each_is_known_and_none_is_misreported(engine: Engine, programs: Programs):
    here = str(programs.home / "here")
    workers = CrashWorkers(programs, engine)
    steady = workers.start(threads=2, longest=0.5, DATA_DIR=str(programs.home / "elsewhere"))
    killer = workers.start(threads=30, kills=KILLS, DATA_DIR=here)
    assert killer.exit_code(within=180) == 0, killer.said()
    last_kill, dead = time.monotonic(), workers.compare_runs().killed
    assert len(dead) >= KILLED

    survivor = workers.start(threads=1, shortest=300, DATA_DIR=here)

    def settled() -> RunComparison | None:
        """The two that live begin runs all the time: of the newest the row may just not be there yet."""
        comparison = workers.compare_runs()
        return None if comparison.running & dead or comparison.without_a_row else comparison

    comparison = eventually(settled, WITHIN)
    assert time.monotonic() - last_kill < WITHIN
    assert (steady.process.poll(), survivor.process.poll()) == (None, None)
    assert comparison.mismatched == {}
    assert comparison.outcomes()["lost"] >= KILLED // 2
    _log.info("%d kills, %d runs, %d killed: %s", KILLS, len(comparison.started), len(dead), comparison.outcomes())
    _log.info("settled after %.1f s", time.monotonic() - last_kill)


@pytest.mark.timeout(240)
def test_a_machine_that_is_stopped_loses_nothing_and_one_that_is_gone_with_its_disk_loses_its_runs_within_a_minute(
    postgres_engine: Engine, programs: Programs
):
    workers = CrashWorkers(programs, postgres_engine)
    lasting = workers.start(threads=3, shortest=250, DATA_DIR=str(programs.home / "here"))
    victim = workers.start(threads=5, shortest=250, DATA_DIR=str(programs.home / "there"))
    eventually(lambda: len(workers.compare_runs().rows) == 8)
    time.sleep(52)  # who listens has done so for long enough to judge
    lasting.tell(signal.SIGSTOP)
    time.sleep(40)  # less than it takes to be lost
    lasting.tell(signal.SIGCONT)
    time.sleep(10)
    assert workers.compare_runs().outcomes() == {None: 8}

    kill(victim)
    shutil.rmtree(programs.home / "there")
    killed = time.monotonic()

    eventually(lambda: workers.compare_runs().outcomes()["lost"] == 5, WITHIN)

    assert time.monotonic() - killed < WITHIN
    assert len(workers.compare_runs().running) == 3
