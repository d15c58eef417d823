"""Killed database: PostgreSQL is killed with -9 under running jobs, and no job notices, and no run is missing."""

import signal
import time

import pytest

from service.database import migrations
from telemetry.database import create_engine
from tests.support.crash_worker import CrashWorkers, RunComparison
from tests.support.killable_postgres import killable_postgres
from tests.support.processes import Programs


@pytest.mark.e2e
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("before", "away", "after"), [(1.0, 1.0, 1.0), (20.0, 15.0, 25.0)])
def test_every_run_is_there_once_with_its_outcome_though_the_database_was_killed_under_it(
    programs: Programs, before: float, away: float, after: float
):
    with killable_postgres() as postgres:
        engine = create_engine(postgres.url)
        migrations.migrate(engine)
        workers = CrashWorkers(programs, engine, DATA_DIR=str(programs.home / "var"))
        working = workers.start(threads=10, shortest=0.3, longest=0.7)  # twenty a second

        time.sleep(before)
        postgres.kill()
        time.sleep(away)
        postgres.start()
        time.sleep(after)
        working.tell(signal.SIGTERM)

        assert working.exit_code() == 0, working.said()
        comparison: RunComparison = workers.compare_runs()
        engine.dispose()
    assert len(comparison.started) > 15 * (before + away + after)
    assert comparison.killed == comparison.without_a_row == comparison.running == set()
    assert comparison.mismatched == {}
    assert comparison.rows.keys() == comparison.started
    assert "Traceback" not in working.said()
