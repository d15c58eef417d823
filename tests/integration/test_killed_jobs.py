"""Killed jobs: what `kill -9` leaves of runs that had begun, and who sets it right."""

import random
import time

from sqlalchemy.engine import Engine

from tests.support.crash_worker import Labour, kill
from tests.support.processes import Programs, eventually

WITHIN = 60.0


def test_after_a_kill_the_next_start_knows_of_each_run_what_became_of_it(engine: Engine, programs: Programs):
    labour = Labour(programs, engine, DATA_DIR=str(programs.home / "var"))
    chance = random.Random(5)
    for _ in range(2):
        victim = labour.begin()
        time.sleep(chance.uniform(0.1, 0.6))
        kill(victim)

    labour.begin(threads=1, shortest=60)

    account = eventually(lambda: (a := labour.account()) and len(a.running) == 1 and a, WITHIN)
    assert len(account.killed) > 10
    assert account.without_a_row == set()
    assert account.wrong == {}
    assert account.outcomes()["lost"] > 10
