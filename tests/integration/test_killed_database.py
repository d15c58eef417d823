"""Killed database: PostgreSQL is killed with -9 under running jobs, and no job notices, and no run is missing."""

import signal
import time

import pytest

from service.database import migrations
from telemetry.database import create_engine
from tests.support.crash_worker import Account, Labour
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
        labour = Labour(programs, engine, DATA_DIR=str(programs.home / "var"))
        working = labour.begin(threads=10, shortest=0.3, longest=0.7)  # twenty a second

        time.sleep(before)
        postgres.kill()
        time.sleep(away)
        postgres.start()
        time.sleep(after)
        working.tell(signal.SIGTERM)

        assert working.exit_code() == 0, working.said()
        account: Account = labour.account()
        engine.dispose()
    assert len(account.begun) > 15 * (before + away + after)
    assert account.killed == account.without_a_row == account.running == set()
    assert account.wrong == {}
    assert account.rows.keys() == account.begun
    assert "Traceback" not in working.said()
