"""Several processes: one database, one migration, one run for each tick."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine import URL, Engine

from telemetry.database import create_engine
from tests.support.processes import Programs

CLAIMANTS: Final = """
import multiprocessing
import sys
from datetime import UTC, datetime, timedelta

from service.scheduler.claims import Claims, new_owner
from telemetry.database import create_engine

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


def claim(barrier, won):
    claims = Claims(create_engine(sys.argv[1]))
    barrier.wait(10)
    number = 0
    for tick in range(50):
        owner = new_owner()
        result = claims.claim_tick("each_minute", BEGIN + timedelta(minutes=tick), owner)
        number += result != "lost"  # a tick that `overlaps` is accounted for as well
        if result == "claimed":
            claims.release("each_minute", owner)
    with won.get_lock():
        won.value += number


if __name__ == "__main__":
    forks = multiprocessing.get_context("fork")  # four processes, of which each need not import everything anew
    barrier, won = forks.Barrier(4), forks.Value("i")
    claimants = [forks.Process(target=claim, args=(barrier, won)) for _ in range(4)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join()
    print(won.value, *(claimant.exitcode for claimant in claimants))
"""

PAUSED_CLAIMANTS: Final = """
import multiprocessing
import sys
from datetime import UTC, datetime, timedelta

from service.scheduler.claims import Claims, new_owner
from service.scheduler.pauses import Pause, pause_job, resume_job
from telemetry.database import create_engine

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
TICKS = 20  # before the pause, within it, and after it


def claim(is_first, barrier, results):
    engine = create_engine(sys.argv[1])
    claims = Claims(engine)
    for part in range(3):
        barrier.wait(30)
        if is_first and part == 1:
            pause_job(engine, "each_minute", Pause(BEGIN, "Anna", "moving"))
        if is_first and part == 2:
            resume_job(engine, "each_minute", BEGIN)
        barrier.wait(30)
        for tick in range(part * TICKS, (part + 1) * TICKS):
            owner = new_owner()
            result = claims.claim_tick("each_minute", BEGIN + timedelta(minutes=tick), owner)
            if result == "claimed":
                claims.release("each_minute", owner)
            with results.get_lock():
                results[2 * part] += result in {"claimed", "overlaps"}
                results[2 * part + 1] += result == "paused"


if __name__ == "__main__":
    forks = multiprocessing.get_context("fork")
    barrier, results = forks.Barrier(4), forks.Array("i", 6)
    claimants = [forks.Process(target=claim, args=(number == 0, barrier, results)) for number in range(4)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join()
    print(*results)
"""


@contextmanager
def opened(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.mark.e2e
def test_four_that_start_at_once_on_an_empty_database_migrate_it_once(database_url: URL, programs: Programs):
    url = database_url.render_as_string(hide_password=False)

    services = [programs.serve(DATABASE_URL=url) for _ in range(4)]
    for service in services:
        service.wait_for("/readyz")

    migrations = sum(service.said().count("Running upgrade  ->") for service in services)
    with opened(database_url) as engine, engine.connect() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).all()
        tables = inspect(connection).get_table_names()
    assert migrations == 1
    assert len(versions) == 1
    assert {"job_runs", "schedule_claims"} <= {*tables}
    assert not any("Traceback" in service.said() for service in services)


@pytest.mark.e2e
def test_each_of_fifty_ticks_is_claimed_by_one_of_four_processes(engine: Engine, programs: Programs):
    programs.write("claimants.py", CLAIMANTS)

    done = programs.run("-m", "claimants", engine.url.render_as_string(hide_password=False))

    with engine.connect() as connection:
        [last] = connection.execute(text("SELECT last_tick FROM schedule_claims")).scalars()
    assert done.stdout.split() == ["50", "0", "0", "0", "0"], done.stderr
    assert str(last).startswith("2025-01-01 00:49:00")


@pytest.mark.e2e
def test_a_pause_of_one_process_holds_in_all_and_ends_in_all(engine: Engine, programs: Programs):
    programs.write("paused_claimants.py", PAUSED_CLAIMANTS)

    done = programs.run("-m", "paused_claimants", engine.url.render_as_string(hide_password=False))

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "20",
        "0",
        "0",
        "80",
        "20",
        "0",
    ]  # for each part: ticks that ran or overlapped, refusals
