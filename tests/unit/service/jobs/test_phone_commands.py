from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from service.jobs.job_commands import JobNotScheduled
from service.jobs.phone_commands import PhoneJobs, polling_lease
from service.jobs.relayed_presses import DatabasePressRelay
from service.scheduler.cadence import Every
from service.scheduler.claims import Claims
from service.scheduler.job import Job, Schedule
from service.scheduler.pauses import Pause, pause_job
from service.settings import Settings
from telemetry.alerts import Person, Place, PressUpdate

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
PRESS = PressUpdate(0, Person(7, "@olga"), Place(-100123, "", 12, 5), "9", "ack:1:2")


class RecordedCommands:
    """Runs nothing, and notes who asks for what."""

    def __init__(self, schedule):
        self.schedule, self.asked = schedule, []

    def run_now(self, name, by):
        self.schedule.get(name)
        if name == "broken":
            raise JobNotScheduled("broken cannot run: WB_API_TOKEN is not set.")
        self.asked.append((name, by))
        return SimpleNamespace(metadata={"requested_by": by})


@pytest.fixture
def answer(engine):
    schedule = Schedule(Settings(), [Job(name, Every(timedelta(minutes=15)), run=dict) for name in ("sync", "broken")])
    jobs = PhoneJobs(schedule, engine, RecordedCommands(schedule), lambda: NOON)
    by_name = {each.name: each for each in jobs.commands()}
    return lambda name, argument="": by_name[name].run(argument, "telegram:7 (@olga)")


def test_a_job_is_run_for_the_person_who_asks(answer):
    assert answer("run", "sync") == "sync was started by telegram:7 (@olga). Its result: /job sync"


@pytest.mark.parametrize(
    ("name", "job", "why"),
    [
        ("run", "nothing", "There is no job 'nothing'. There are: broken, sync."),
        ("job", "nothing", "There is no job 'nothing'. There are: broken, sync."),
        ("run", "broken", "broken cannot run: WB_API_TOKEN is not set."),
    ],
)
def test_what_cannot_be_done_is_answered_with_the_reason(answer, name, job, why):
    assert answer(name, job) == why


def test_the_jobs_are_listed_with_what_keeps_them_from_running(answer, engine):
    pause_job(engine, "sync", Pause(NOON, "Anna", "the warehouse is moved"))

    lines = answer("jobs").splitlines()

    assert lines[0].startswith("• sync: no run yet (Paused since 2025-10-02 12:00 UTC by Anna")
    assert lines[1] == "• broken: no run yet"
    assert answer("job", "broken").endswith("\nNo run yet.")


def test_of_two_machines_one_reads_and_the_other_one_follows_when_it_stops(engine):
    first, second = polling_lease(Claims(engine)), polling_lease(Claims(engine))

    found = [first.acquire(), second.acquire(), first.acquire()]
    first.release()

    assert found == [True, False, True]
    assert second.acquire()


def test_a_database_that_is_down_keeps_no_operator_from_being_answered():
    def fail(*_arguments):
        raise OperationalError("", None, ConnectionError())

    assert polling_lease(SimpleNamespace(renew=fail, claim_manual_run=fail)).acquire()


def test_a_press_is_handed_on_once_with_all_that_its_answer_needs(engine):
    sender = DatabasePressRelay(engine, lambda: NOON)
    first, second = (DatabasePressRelay(engine, lambda: NOON + timedelta(seconds=3)) for _ in range(2))
    assert sender.put(PRESS)

    waiting = first.waiting()

    assert [(each.update, each.age) for each in waiting] == [(PRESS, 3.0)]
    assert [each.take(waiting[0].id) for each in (first, second)] == [True, False]
    assert second.waiting() == []
