import threading
import time

import pytest

from service.database.tables import RateLimitRow
from service.integrations.http.client import ApiCall, ApiClient
from service.integrations.http.rate_limiter import RateLimit, RateLimiter, timestamp_in
from telemetry.database import create_engine, transaction
from tests.support.fakes import on_sqlite
from tests.support.forking import in_children
from tests.support.loopback import response

TEN_SECONDS = RateLimit("wb:tests", 10.0)
THREE_AT_ONCE = RateLimit("wb:burst", 10.0, burst=3)
BRIEF = RateLimit("wb:brief", 0.2)
PATIENT = 600.0
NOISE = 2.0  # seconds by which a busy machine may be late


@pytest.fixture
def shared(engine):
    """A rate limiter on both databases, by their real clocks."""
    RateLimitRow.__table__.create(engine, checkfirst=True)
    return RateLimiter(engine)


def waits(rate_limiter, limit, times, patience=PATIENT):
    return [
        round(reservation.wait, 3)
        for reservation in (rate_limiter.reserve(limit, patience) for _ in range(times))
        if reservation.granted
    ]


def places(timestamps, interval=10.0):
    """Which place of the queue each call has."""
    first = min(timestamps)
    assert all(abs((timestamp - first + NOISE) % interval - NOISE) < NOISE for timestamp in timestamps)
    return sorted(round((timestamp - first) / interval) for timestamp in timestamps)


def test_the_first_call_begins_at_once_and_each_next_one_an_interval_later(shared):
    began = time.time()

    found = waits(shared, TEN_SECONDS, 4)

    late = time.time() - began
    assert found[0] == 0
    for place, wait in enumerate(found):
        assert place * 10 - late <= wait <= place * 10


def test_a_burst_begins_at_once(rate_limiter):
    assert waits(rate_limiter, THREE_AT_ONCE, 5) == [0, 0, 0, 10, 20]


def test_a_burst_begins_at_once_on_both_databases(shared):
    assert [round(wait / 10) for wait in waits(shared, THREE_AT_ONCE, 5)] == [0, 0, 0, 1, 2]


def test_a_burst_grows_again_with_time_and_not_beyond_its_size(rate_limiter, clock):
    waits(rate_limiter, THREE_AT_ONCE, 3)

    clock.wait(10, "test")
    assert waits(rate_limiter, THREE_AT_ONCE, 2) == [0, 10]
    clock.wait(1000, "test")
    assert waits(rate_limiter, THREE_AT_ONCE, 4) == [0, 0, 0, 10]


def test_accounts_have_queues_of_their_own(shared):
    waits(shared, TEN_SECONDS, 3)

    assert waits(shared, RateLimit("wb:others", 10.0), 1) == [0]


def test_a_place_beyond_the_patience_is_not_taken_and_pushes_nobody_back(shared):
    waits(shared, TEN_SECONDS, 2)

    refused = [shared.reserve(TEN_SECONDS, 5.0) for _ in range(5)]
    [taken] = waits(shared, TEN_SECONDS, 1)

    assert [reservation.granted for reservation in refused] == [False] * 5
    assert all(20 - NOISE < reservation.wait <= 20 for reservation in refused)
    assert 20 - NOISE < taken <= 20


def test_no_queue_is_longer_than_ten_minutes_however_patient_one_is(rate_limiter):
    found = waits(rate_limiter, RateLimit("wb:minute", 60.0), 100, patience=1e9)

    assert found == [60.0 * place for place in range(11)]


def test_a_base_token_waits_as_long_as_its_limit_says(rate_limiter, clock):
    three_hours = RateLimit("wb:base", 10_800.0)

    assert waits(rate_limiter, three_hours, 3) == [0]
    refused = rate_limiter.reserve(three_hours, PATIENT)
    clock.wait(10_800, "test")

    assert (refused.granted, refused.wait) == (False, 10_800)
    assert waits(rate_limiter, three_hours, 1) == [0]


def test_who_is_blocked_begins_when_the_block_ends(shared):
    shared.block(BRIEF, 60.0)
    waiting = shared.reserve(BRIEF, PATIENT)

    assert waiting.granted
    assert 60 - NOISE < waiting.wait <= 60


def test_a_block_holds_for_the_others_too(shared, engine):
    shared.reserve(BRIEF, PATIENT)
    shared.block(BRIEF, 60.0)

    refused = RateLimiter(engine).reserve(BRIEF, 30.0)

    assert not refused.granted
    assert 60 - NOISE < refused.wait <= 60


def test_a_block_ends(shared):
    shared.block(BRIEF, 0.05)

    time.sleep(0.06)

    assert shared.reserve(BRIEF, 0.0).granted


def test_of_two_blocks_the_later_end_counts(rate_limiter, clock):
    rate_limiter.block(BRIEF, 60.0)
    rate_limiter.block(BRIEF, 5.0)

    assert rate_limiter.reserve(BRIEF, PATIENT).wait == 60
    rate_limiter.block(BRIEF, 90.0)
    assert rate_limiter.reserve(BRIEF, PATIENT).wait == 90


def test_a_block_may_be_longer_than_any_queue(rate_limiter, clock):
    rate_limiter.reserve(BRIEF, PATIENT)
    rate_limiter.block(BRIEF, 10_800.0)

    clock.wait(10_799, "test")
    assert not rate_limiter.reserve(BRIEF, 0.5).granted
    clock.wait(1, "test")
    assert rate_limiter.reserve(BRIEF, 0.0).granted


@pytest.mark.parametrize("limit", [BRIEF, TEN_SECONDS, THREE_AT_ONCE, RateLimit("wb:base", 10_800.0)])
@pytest.mark.parametrize("blocked", [0.0, 1.0, 100.0])
def test_a_clock_that_was_set_back_an_hour_does_not_stop_calls_for_an_hour(rate_limiter, clock, limit, blocked):
    waits(rate_limiter, limit, 2)
    rate_limiter.block(limit, blocked)

    clock.wait(-3600, "test")

    assert waits(rate_limiter, limit, 2, patience=10.0)[0] == 0


def test_a_block_before_any_call_does_not_outlive_a_clock_that_was_set_back(rate_limiter, clock):
    rate_limiter.block(BRIEF, 1.0)

    clock.wait(-3600, "test")

    assert waits(rate_limiter, BRIEF, 1) == [0]


def test_a_block_long_after_the_last_call_does_not_outlive_it_either(rate_limiter, clock):
    waits(rate_limiter, BRIEF, 1)
    clock.wait(7200, "test")
    rate_limiter.block(BRIEF, 1.0)

    clock.wait(-3600, "test")

    assert waits(rate_limiter, BRIEF, 1) == [0]


def test_a_clock_that_was_set_forward_begins_anew(rate_limiter, clock):
    waits(rate_limiter, TEN_SECONDS, 3)
    rate_limiter.block(TEN_SECONDS, 100.0)

    clock.wait(3600, "test")

    assert waits(rate_limiter, TEN_SECONDS, 2) == [0, 10]


def test_threads_share_the_queue(shared):
    timestamps = []

    def ask():
        for _ in range(10):
            timestamps.append(time.time() + shared.reserve(TEN_SECONDS, PATIENT).wait)  # noqa: PERF401  # each is a call

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert places(timestamps) == list(range(20))


@on_sqlite  # PostgreSQL sees no difference between two processes and two connections
def test_processes_share_the_queue(engine):
    RateLimitRow.__table__.create(engine, checkfirst=True)

    def ask():
        rate_limiter = RateLimiter(create_engine(engine.url))
        reservations = (rate_limiter.reserve(TEN_SECONDS, PATIENT) for _ in range(10))
        return [(time.time() + reservation.wait, reservation.granted) for reservation in reservations]

    one, other = in_children(ask, ask)

    assert {granted for _, granted in one + other} == {True}
    assert places([timestamp for timestamp, _ in one + other]) == list(range(20))


def test_what_arrives_is_never_faster_than_the_limit(server, api, engine):
    RateLimitRow.__table__.create(engine, checkfirst=True)
    arrived = []

    def answer(_asked):
        arrived.append(time.monotonic())
        return response("fine")

    server.script = answer
    limit = RateLimit("wb:real", 0.05, burst=2)

    def ask():
        with_client = ApiClient(api, RateLimiter(engine), lambda seconds, _why: time.sleep(seconds))
        for _ in range(5):
            with_client.call(ApiCall("GET", "/things", limit))
        with_client.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(arrived) == 10
    assert arrived[-1] - arrived[0] >= 8 * 0.05 / 2  # the first may be late


def test_the_row_names_the_account_and_nothing_else(shared, engine):
    shared.reserve(TEN_SECONDS, PATIENT)
    shared.block(BRIEF, 1.0)

    with transaction(engine) as session:
        assert {row.key for row in session.query(RateLimitRow)} == {"wb:tests", "wb:brief"}


def test_a_moment_in_so_many_seconds_is_in_utc():
    timestamp = timestamp_in(60.0)

    assert 60 - NOISE < timestamp.timestamp() - time.time() <= 60
    assert timestamp.utcoffset().total_seconds() == 0


def test_a_block_after_the_clock_was_set_back_counts_and_the_one_before_does_not(sqlite_engine):
    RateLimitRow.__table__.create(sqlite_engine, checkfirst=True)
    now = 1_759_406_400.0
    rate_limiter = RateLimiter(sqlite_engine, lambda: now)
    rate_limiter.block(TEN_SECONDS, 7200.0)
    now -= 3600.0

    rate_limiter.block(TEN_SECONDS, 60.0)

    assert rate_limiter.reserve(TEN_SECONDS, PATIENT).wait == 60.0


def test_a_block_is_no_longer_than_a_day(sqlite_engine):
    RateLimitRow.__table__.create(sqlite_engine, checkfirst=True)
    rate_limiter = RateLimiter(sqlite_engine, lambda: 1_759_406_400.0)

    rate_limiter.block(TEN_SECONDS, 1e15)

    assert rate_limiter.reserve(TEN_SECONDS, PATIENT).wait == 86_400.0


@pytest.mark.parametrize(
    ("asked", "longest"),
    [
        (-1.0, 0.0), (-1e300, 0.0), (float("-inf"), 0.0), (float("nan"), 0.0), (0.0, 0.0), (7.0, 7.0),
        (2083.0, 2083.0), (86_401.0, 86_400.0), (1_795_430_000.0, 86_400.0), (1_795_430_000_000.0, 86_400.0),
        (1e300, 86_400.0), (float("inf"), 86_400.0),
    ],
)  # fmt: skip
def test_whatever_a_service_asks_for_a_wait_is_a_day_at_most(sqlite_engine, asked, longest):
    limiter = RateLimiter(sqlite_engine, clock=lambda: 1_000_000.0)

    limiter.block(BRIEF, asked)

    assert limiter.reserve(BRIEF, PATIENT * 1000).wait == longest


def test_a_stored_wait_that_is_longer_than_any_is_not_waited_for(shared, engine):
    """Written by an older version, or by hand: it would keep the account for years."""
    with transaction(engine) as session:
        session.add(RateLimitRow(key=TEN_SECONDS.key, full_at=0.0, blocked_until=time.time() + 57 * 365 * 86_400))

    assert shared.reserve(TEN_SECONDS, PATIENT).granted

    shared.block(TEN_SECONDS, 60.0)

    assert 0 < shared.reserve(TEN_SECONDS, 0.0).wait <= 70
