from datetime import UTC, datetime, timedelta

from service.database.schedule_tables import MissedRunRow
from service.scheduler.monitoring.missed_runs import LAST_DAY, MissedRuns, missed_runs, prune
from telemetry.database import transaction

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def notice(engine, job_name, kind, age, ticks):
    with transaction(engine) as session:
        about = {"first_tick": NOON - age - HOUR, "last_tick": NOON - age, "noticed_at": NOON - age}
        session.add(MissedRunRow(job_name=job_name, kind=kind, ticks=ticks, **about))


def test_of_each_job_it_is_told_how_much_was_noticed_since_then_and_which_tick_was_missed_last(engine):
    notice(engine, "sync", "missed", 30 * HOUR, 5)
    notice(engine, "sync", "missed", 2 * HOUR, 1)
    notice(engine, "sync", "missed", HOUR, 2)
    notice(engine, "sync", "downtime", HOUR, 4)
    notice(engine, "old", "missed", 50 * HOUR, 1)
    notice(engine, "down", "downtime", HOUR, 1)

    assert missed_runs(engine, NOON - LAST_DAY) == {
        "sync": MissedRuns(missed=3, downtime=4, last_missed=NOON - HOUR),
        "old": MissedRuns(missed=0, downtime=0, last_missed=NOON - 50 * HOUR),
        "down": MissedRuns(missed=0, downtime=1, last_missed=None),
    }


def test_where_nothing_was_missed_there_is_nothing_to_tell(engine):
    assert missed_runs(engine, NOON) == {}


def test_what_was_noticed_before_then_is_pruned(engine):
    for hours in (1, 30, 50):
        notice(engine, "sync", "missed", hours * HOUR, 1)

    assert prune(engine, NOON - LAST_DAY) == 2
    assert prune(engine, NOON - LAST_DAY) == 0
    assert missed_runs(engine, NOON - 100 * HOUR)["sync"].missed == 1
