import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.scheduler.claims import LEASE_SECONDS, Claims, new_owner
from telemetry.database import create_engine

FIRST = datetime(2025, 10, 2, 12, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=1)
TICKS = [FIRST + timedelta(minutes=number) for number in range(25)]
RACERS = 8


def claimed(claims, job_name, tick):
    """Take a tick, and if it is had, end its run at once."""
    holder = new_owner()
    taken = claims.take(job_name, tick, holder)
    if taken == "mine":
        claims.release(job_name, holder)
    return taken


def test_a_tick_is_claimed_once(engine):
    claims = Claims(engine)

    assert claimed(claims, "sync", FIRST) == "mine"
    assert claimed(claims, "sync", FIRST) == "taken"
    assert claimed(Claims(engine), "sync", FIRST) == "taken"


def test_jobs_do_not_claim_each_others_ticks(engine):
    claims = Claims(engine)

    assert claims.take("one", FIRST, "a") == "mine"
    assert claims.take("other", FIRST, "b") == "mine"


def test_a_tick_older_than_the_last_one_is_not_to_be_had(engine):
    claims = Claims(engine)

    assert claimed(claims, "sync", SECOND) == "mine"
    assert claimed(claims, "sync", FIRST) == "taken"
    assert claimed(claims, "sync", SECOND) == "taken"
    assert claimed(claims, "sync", SECOND + timedelta(minutes=1)) == "mine"


def test_a_tick_is_the_same_tick_in_every_zone(engine):
    claims = Claims(engine)

    assert claimed(claims, "sync", FIRST) == "mine"
    assert claimed(claims, "sync", FIRST.astimezone()) == "taken"


def test_a_tick_that_finds_the_run_before_it_is_passed_over_by_one_of_all_who_come_for_it(engine):
    claims = Claims(engine)
    claims.take("sync", FIRST, "run")

    told = [claims.take("sync", SECOND, new_owner()) for _ in range(3)]

    assert told == ["running", "taken", "taken"]


def test_a_job_that_overlaps_finds_nobody_in_its_way(engine):
    claims = Claims(engine)
    claims.take("sync", FIRST, "run", overlaps=True)

    assert claims.take("sync", SECOND, "next", overlaps=True) == "mine"


def test_a_run_keeps_its_lease_as_long_as_it_says_that_it_goes_on(sqlite_engine):
    now = [1000.0]
    claims = Claims(sqlite_engine, lambda: now[0])
    claims.take("sync", FIRST, "run")

    for tick in TICKS[1:5]:
        now[0] += LEASE_SECONDS - 1
        assert claims.extend("sync", "run")
        assert claims.take("sync", tick, new_owner()) == "running"


def test_the_lease_of_a_killed_run_ends_by_itself_and_it_is_told_so_if_it_lives(sqlite_engine):
    now = [1000.0]
    claims = Claims(sqlite_engine, lambda: now[0])
    claims.take("sync", FIRST, "run")

    now[0] += LEASE_SECONDS + 1

    assert claims.take("sync", SECOND, "next") == "mine"
    assert not claims.extend("sync", "run")
    claims.release("sync", "run")
    assert claims.extend("sync", "next")


def test_leases_are_by_the_clock_of_a_database_that_several_machines_share(postgres_engine):
    an_hour_behind = Claims(postgres_engine, lambda: 0.0)
    an_hour_behind.take("sync", FIRST, "run")

    assert Claims(postgres_engine).take("sync", SECOND, "next") == "running"


@pytest.mark.parametrize("ticked", [False, True])
def test_a_run_that_no_tick_asked_for_begins_when_none_goes_on(engine, ticked):
    claims = Claims(engine)
    if ticked:
        claimed(claims, "sync", FIRST)

    assert claims.hold("sync", "by hand")
    assert not claims.hold("sync", "by another hand")
    assert claims.take("sync", SECOND, "tick") == "running"
    claims.release("sync", "by hand")
    assert claims.hold("sync", "by another hand")


def test_of_many_that_want_a_tick_at_once_exactly_one_has_it(engine):
    """Each racer has an engine of its own, as a process would."""
    engines = [create_engine(engine.url) for _ in range(RACERS)]
    together = threading.Barrier(RACERS)

    def race(own):
        claims, told = Claims(own), []
        for tick in TICKS:
            together.wait(30)
            told.append((tick, claims.take("sync", tick, new_owner())))
        return told

    with ThreadPoolExecutor(RACERS) as racers:
        told = [each for mine in racers.map(race, engines) for each in mine]
    for each in engines:
        each.dispose()

    assert sorted(tick for tick, taken in told if taken != "taken") == TICKS
    assert [tick for tick, taken in told if taken == "mine"] == [FIRST]  # its run goes on
