"""Catch-up runs: the last tick of a downtime is run once at start-up."""

from datetime import UTC, datetime, timedelta

from service.jobs.schedule import Every
from service.scheduler.claims import Claims
from service.scheduler.job import Job, Schedule
from service.scheduler.scheduler import Scheduler
from service.settings import Settings
from telemetry.database import create_engine

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


class FakeContext:
    def for_run(self, _progress):
        return self


def scheduler_of(engine, ran, **how):
    job = Job("sync", Every(QUARTER), lambda _context: ran.append(1) or {}, catches_up=True, **how)
    return Scheduler(Schedule(Settings(), [job]), FakeContext(), Claims(engine))


def stepped(scheduler, now):
    following = scheduler.step(now)
    for thread, _ in scheduler.threads.alive():
        thread.join(30)
    return following


def test_on_a_new_database_it_runs_at_once_and_then_at_its_ticks(engine):
    ran = []
    scheduler = scheduler_of(engine, ran)

    assert stepped(scheduler, NOON + timedelta(minutes=4)) == NOON + QUARTER
    assert len(ran) == 1
    stepped(scheduler, NOON + timedelta(minutes=14))
    assert len(ran) == 1
    stepped(scheduler, NOON + QUARTER)
    assert len(ran) == 2


def test_two_that_start_at_once_run_it_once_together(engine):
    ran = []
    other = create_engine(engine.url)
    for scheduler in (scheduler_of(engine, ran), scheduler_of(other, ran)):
        stepped(scheduler, NOON)
    other.dispose()

    assert len(ran) == 1


def test_a_start_within_the_same_tick_runs_nothing_and_one_after_a_missed_tick_does(engine):
    ran = []
    stepped(scheduler_of(engine, ran), NOON)

    stepped(scheduler_of(engine, ran), NOON + timedelta(minutes=14))
    assert len(ran) == 1
    stepped(scheduler_of(engine, ran), NOON + timedelta(hours=3))
    assert len(ran) == 2


def test_a_job_that_does_not_catch_up_waits_for_its_next_tick(engine):
    ran = []
    job = Job("backup", Every(QUARTER), lambda _context: ran.append(1) or {})
    scheduler = Scheduler(Schedule(Settings(), [job]), FakeContext(), Claims(engine))

    stepped(scheduler, NOON + timedelta(minutes=4))

    assert ran == []
