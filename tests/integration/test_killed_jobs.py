"""Killed jobs: what `kill -9` leaves of runs that had begun, and who sets it right."""

import random
import time

import pytest
from sqlalchemy.engine import Engine

from tests.support.crash_worker import CrashWorkers, kill
from tests.support.processes import Programs, eventually

pytestmark = pytest.mark.e2e

WITHIN = 60.0


def test_after_a_kill_the_next_start_knows_of_each_run_what_became_of_it(engine: Engine, programs: Programs):
    workers = CrashWorkers(programs, engine, DATA_DIR=str(programs.home / "var"))
    chance = random.Random(5)
    for _ in range(2):
        victim = workers.start()
        time.sleep(chance.uniform(0.1, 0.6))
        kill(victim)

    workers.start(threads=1, shortest=60)

    comparison = eventually(lambda: (a := workers.compare_runs()) and len(a.running) == 1 and a, WITHIN)
    assert len(comparison.killed) > 10
    assert comparison.without_a_row == set()
    assert comparison.mismatched == {}
    assert comparison.outcomes()["lost"] > 10
