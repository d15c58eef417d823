import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from service.scheduler.claims import LEASE_SECONDS, Claims, new_owner
from telemetry.database import create_engine
from tests.support.telegram_server import HandClock

FIRST = datetime(2025, 10, 2, 12, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=1)
TICKS = [FIRST + timedelta(minutes=number) for number in range(25)]
RACERS = 8


def claim_and_release(claims, job_name, tick):
    """Claim a tick; a run that has it ends at once."""
    owner = new_owner()
    result = claims.claim_tick(job_name, tick, owner)
    if result == "claimed":
        claims.release(job_name, owner)
    return result


def test_a_tick_is_claimed_once(engine):
    claims = Claims(engine)

    assert claim_and_release(claims, "sync", FIRST) == "claimed"
    assert claim_and_release(claims, "sync", FIRST) == "lost"
    assert claim_and_release(Claims(engine), "sync", FIRST) == "lost"


def test_jobs_do_not_claim_each_others_ticks(engine):
    claims = Claims(engine)

    assert claims.claim_tick("one", FIRST, "a") == "claimed"
    assert claims.claim_tick("other", FIRST, "b") == "claimed"


def test_a_tick_older_than_the_last_claimed_one_is_lost(engine):
    claims = Claims(engine)

    assert claim_and_release(claims, "sync", SECOND) == "claimed"
    assert claim_and_release(claims, "sync", FIRST) == "lost"
    assert claim_and_release(claims, "sync", SECOND) == "lost"
    assert claim_and_release(claims, "sync", SECOND + timedelta(minutes=1)) == "claimed"


def test_a_tick_is_the_same_tick_in_every_zone(engine):
    claims = Claims(engine)

    assert claim_and_release(claims, "sync", FIRST) == "claimed"
    assert claim_and_release(claims, "sync", FIRST.astimezone()) == "lost"


def test_a_tick_that_finds_the_previous_run_active_is_skipped_by_exactly_one_of_all_claimants(engine):
    claims = Claims(engine)
    claims.claim_tick("sync", FIRST, "run")

    results = [claims.claim_tick("sync", SECOND, new_owner()) for _ in range(3)]

    assert results == ["overlaps", "lost", "lost"]


def test_a_job_that_overlaps_is_claimed_beside_an_active_run(engine):
    claims = Claims(engine)
    claims.claim_tick("sync", FIRST, "run", overlaps=True)

    assert claims.claim_tick("sync", SECOND, "next", overlaps=True) == "claimed"


def test_a_run_keeps_its_lease_as_long_as_it_renews_it(sqlite_engine):
    now = [1000.0]
    claims = Claims(sqlite_engine, lambda: now[0])
    claims.claim_tick("sync", FIRST, "run")

    for tick in TICKS[1:5]:
        now[0] += LEASE_SECONDS - 1
        assert claims.renew("sync", "run")
        assert claims.claim_tick("sync", tick, new_owner()) == "overlaps"


def test_the_lease_of_a_killed_run_expires_and_its_renewal_fails(sqlite_engine):
    now = [1000.0]
    claims = Claims(sqlite_engine, lambda: now[0])
    claims.claim_tick("sync", FIRST, "run")

    now[0] += LEASE_SECONDS + 1

    assert claims.claim_tick("sync", SECOND, "next") == "claimed"
    assert not claims.renew("sync", "run")
    claims.release("sync", "run")
    assert claims.renew("sync", "next")


def test_leases_are_by_the_clock_of_a_database_that_several_machines_share(postgres_engine):
    an_hour_behind = Claims(postgres_engine, lambda: 0.0)
    an_hour_behind.claim_tick("sync", FIRST, "run")

    assert Claims(postgres_engine).claim_tick("sync", SECOND, "next") == "overlaps"


@pytest.mark.parametrize("ticked", [False, True])
def test_a_manual_run_is_claimed_while_no_other_run_is_active(engine, ticked):
    claims = Claims(engine)
    if ticked:
        claim_and_release(claims, "sync", FIRST)

    assert claims.claim_manual_run("sync", "by hand")
    assert not claims.claim_manual_run("sync", "by another hand")
    assert claims.claim_tick("sync", SECOND, "tick") == "overlaps"
    claims.release("sync", "by hand")
    assert claims.claim_manual_run("sync", "by another hand")


def test_of_many_that_claim_a_tick_at_once_exactly_one_gets_it(engine):
    """Each racer has an engine of its own, as a process would."""
    engines = [create_engine(engine.url) for _ in range(RACERS)]
    together = threading.Barrier(RACERS)

    def race(own):
        claims, results = Claims(own), []
        for tick in TICKS:
            together.wait(30)
            results.append((tick, claims.claim_tick("sync", tick, new_owner())))
        return results

    with ThreadPoolExecutor(RACERS) as racers:
        results = [each for own in racers.map(race, engines) for each in own]
    for each in engines:
        each.dispose()

    assert sorted(tick for tick, result in results if result != "lost") == TICKS
    assert [tick for tick, result in results if result == "claimed"] == [FIRST]  # its run is active


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(hours=1), timedelta(days=20_000)])
def test_a_tick_in_the_future_is_of_a_clock_that_was_set_back(sqlite_engine, back):
    clock = HandClock(FIRST.timestamp())
    claims = Claims(sqlite_engine, clock)
    assert claim_and_release(claims, "sync", FIRST) == "claimed"

    clock.forward(-back.total_seconds())
    now = clock.moment()

    assert claim_and_release(claims, "sync", now) == "claimed"
    assert claim_and_release(claims, "sync", now) == "lost"


def test_a_tick_in_the_future_does_not_count_on_a_shared_database(postgres_engine):
    claims = Claims(postgres_engine)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    assert claim_and_release(claims, "sync", now + timedelta(hours=1)) == "claimed"

    assert claim_and_release(claims, "sync", now) == "claimed"
    assert claim_and_release(claims, "sync", now) == "lost"


@pytest.mark.parametrize(
    "claim_again",
    [
        lambda claims, tick: claims.claim_tick("sync", tick, "other") == "claimed",
        lambda claims, _tick: claims.claim_manual_run("sync", "other"),
    ],
)
def test_the_lease_of_a_killed_run_is_no_longer_after_the_clock_was_set_back(sqlite_engine, claim_again):
    clock = HandClock(FIRST.timestamp())
    claims = Claims(sqlite_engine, clock)
    claims.claim_tick("sync", FIRST, "killed")

    clock.forward(-3600)
    assert not claim_again(claims, clock.moment())
    clock.forward(LEASE_SECONDS + 1)

    assert claim_again(claims, clock.moment())
