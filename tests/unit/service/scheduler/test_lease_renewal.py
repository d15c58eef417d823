import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from service.database.clock import DatabaseClock
from service.integrations.http.sleep import InstrumentedSleep
from service.scheduler.lease_renewal import LeaseRenewer
from service.shutdown import ShutdownRequested, StopSignal, cancel_thread

AWAY = OperationalError("UPDATE", {}, ConnectionRefusedError("refused"))


class Claims:
    def __init__(self, *, kept=True, error=None):
        self.extended, self.released, self.kept, self.error = [], [], kept, error

    def extend(self, job_name, holder):
        self.extended.append((job_name, holder))
        if self.error:
            raise self.error
        return self.kept

    def release(self, job_name, holder):
        if self.error:
            raise self.error
        self.released.append((job_name, holder))


def soon(look):
    end = time.monotonic() + 10
    while not look() and time.monotonic() < end:
        time.sleep(0.005)
    return look()


@pytest.fixture
def leases_of():
    made = []

    def make(claims):
        made.append(LeaseRenewer(claims, every=0.01))
        return made[-1]

    yield make
    for leases in made:
        leases.stop()


def test_a_lease_is_extended_as_long_as_its_run_goes_on_and_given_back_at_its_end(leases_of):
    claims = Claims()

    with leases_of(claims).held("sync", "me"):
        assert soon(lambda: len(claims.extended) > 2)
        assert claims.released == []

    assert claims.released == [("sync", "me")]


def test_a_run_that_fails_gives_its_lease_back_too(leases_of):
    claims = Claims()

    with pytest.raises(ZeroDivisionError), leases_of(claims).held("sync", "me"):
        raise ZeroDivisionError

    assert claims.released == [("sync", "me")]


def test_a_database_that_is_away_is_a_warning_and_the_run_goes_on(leases_of, caplog):
    claims = Claims(error=AWAY)

    with leases_of(claims).held("sync", "me"):
        assert soon(lambda: len(claims.extended) > 1)

    assert any("cannot be extended now" in message for message in caplog.messages)
    assert any("is left to end by itself" in message for message in caplog.messages)


def test_a_lease_that_was_over_is_said(leases_of, caplog):
    with leases_of(Claims(kept=False)).held("sync", "me"):
        assert soon(lambda: any("was over while it ran" in message for message in caplog.messages))


def test_a_thread_is_cancelled_at_its_next_line():
    raised, began = [], threading.Event()

    def work():
        try:
            while True:
                began.set()
                time.sleep(0.001)
        except ShutdownRequested as stopped:
            raised.append(str(stopped))

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(10)

    assert cancel_thread(thread)
    thread.join(10)

    assert raised == ["the service stops"]
    assert not cancel_thread(thread)


def test_a_thread_that_never_began_cannot_be_cancelled():
    assert not cancel_thread(threading.Thread())


class Now:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_a_wait_is_as_long_as_it_was_asked_to_be_and_is_counted():
    waited = []
    wait = InstrumentedSleep(StopSignal(), lambda *about: waited.append(about)).for_service("wb")
    began = time.monotonic()

    wait(0.05, "pace")

    assert time.monotonic() - began >= 0.05
    assert waited == [("wb", "pace", 0.05)]


def test_a_wait_ends_as_soon_as_the_service_is_told_to_stop():
    stopping = StopSignal()
    wait = InstrumentedSleep(stopping, lambda *_about: None).for_service("wb")
    threading.Timer(0.05, stopping.set).start()
    began = time.monotonic()

    with pytest.raises(ShutdownRequested, match="waits for wb"):
        wait(60, "pace")

    assert time.monotonic() - began < 10


def test_the_clock_of_one_machine_is_its_own(sqlite_engine):
    assert DatabaseClock(sqlite_engine, lambda: 86_400.0).now() == datetime(1970, 1, 2, tzinfo=UTC)


def test_the_clock_of_several_machines_is_the_databases(postgres_engine):
    half_a_minute_slow = DatabaseClock(postgres_engine, lambda: time.time() - 30)

    assert abs((half_a_minute_slow.now() - datetime.now(UTC)).total_seconds()) < 5


def test_a_database_that_is_away_leaves_the_difference_as_it_was(postgres_engine):
    ticks = Now()
    clock = DatabaseClock(postgres_engine, lambda: time.time() - 30, ticks)
    clock.now()
    clock._engine = type(
        "Gone", (), {"dialect": postgres_engine.dialect, "connect": lambda self: (_ for _ in ()).throw(AWAY)}
    )()
    ticks.seconds += 3600

    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
