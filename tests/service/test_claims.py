import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from service.claims import Claims
from telemetry.database import create_engine

FIRST = datetime(2025, 10, 2, 12, tzinfo=UTC)
TICKS = [FIRST + timedelta(minutes=number) for number in range(25)]
RACERS = 8


def test_a_tick_is_claimed_once(engine):
    claims = Claims(engine)

    assert claims.take("sync", FIRST)
    assert not claims.take("sync", FIRST)
    assert not Claims(engine).take("sync", FIRST)


def test_jobs_do_not_claim_each_others_ticks(engine):
    claims = Claims(engine)

    assert claims.take("one", FIRST)
    assert claims.take("other", FIRST)


def test_a_tick_older_than_the_last_one_is_not_to_be_had(engine):
    claims = Claims(engine)

    assert claims.take("sync", FIRST + timedelta(minutes=1))
    assert not claims.take("sync", FIRST)
    assert not claims.take("sync", FIRST + timedelta(minutes=1))
    assert claims.take("sync", FIRST + timedelta(minutes=2))


def test_a_tick_is_the_same_tick_in_every_zone(engine):
    claims = Claims(engine)

    assert claims.take("sync", FIRST)
    assert not claims.take("sync", FIRST.astimezone())


def test_of_many_that_want_a_tick_at_once_exactly_one_has_it(engine):
    """Each racer has an engine of its own, as a process would."""
    engines = [create_engine(engine.url) for _ in range(RACERS)]
    together = threading.Barrier(RACERS)

    def race(own):
        claims, won = Claims(own), []
        for tick in TICKS:
            together.wait(30)
            won += [tick] if claims.take("sync", tick) else []
        return won

    with ThreadPoolExecutor(RACERS) as racers:
        won = [tick for mine in racers.map(race, engines) for tick in mine]
    for each in engines:
        each.dispose()

    assert sorted(won) == TICKS
