import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from service.database.clock import DatabaseClock
from service.integrations.http.sleep import InstrumentedSleep
from service.scheduler.lease_renewal import LeaseRenewer
from service.shutdown import ShutdownRequested, StopSignal, cancel_thread

UNAVAILABLE = OperationalError("UPDATE", {}, ConnectionRefusedError("refused"))


class FakeLeases:
    def __init__(self, *, valid=True, error=None):
        self.renewed, self.released, self.valid, self.error = [], [], valid, error

    def renew(self, job_name, owner):
        self.renewed.append((job_name, owner))
        if self.error:
            raise self.error
        return self.valid

    def release(self, job_name, owner):
        if self.error:
            raise self.error
        self.released.append((job_name, owner))


def soon(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


@pytest.fixture
def renewer_of():
    made = []

    def make(store):
        made.append(LeaseRenewer(store, interval=0.01))
        return made[-1]

    yield make
    for renewer in made:
        renewer.stop()


def test_a_lease_is_renewed_while_its_run_is_active_and_released_at_its_end(renewer_of):
    leases = FakeLeases()

    with renewer_of(leases).renewing("sync", "me"):
        assert soon(lambda: len(leases.renewed) > 2)
        assert leases.released == []

    assert leases.released == [("sync", "me")]


def test_a_run_that_fails_releases_its_lease_too(renewer_of):
    leases = FakeLeases()

    with pytest.raises(ZeroDivisionError), renewer_of(leases).renewing("sync", "me"):
        raise ZeroDivisionError

    assert leases.released == [("sync", "me")]


def test_an_unavailable_database_is_a_warning_and_the_run_continues(renewer_of, caplog):
    leases = FakeLeases(error=UNAVAILABLE)

    with renewer_of(leases).renewing("sync", "me"):
        assert soon(lambda: len(leases.renewed) > 1)

    assert any("cannot be extended now" in message for message in caplog.messages)
    assert any("it will expire" in message for message in caplog.messages)


def test_an_expired_lease_is_logged(renewer_of, caplog):
    with renewer_of(FakeLeases(valid=False)).renewing("sync", "me"):
        assert soon(lambda: any("expired during its run" in message for message in caplog.messages))


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


@pytest.mark.parametrize("set_by", [0, 1800, -1800])
def test_while_the_database_is_unavailable_its_clock_goes_on_as_before(postgres_engine, set_by):
    monotonic = Now()
    machine = Now()
    clock = DatabaseClock(postgres_engine, lambda: time.time() - 30 + machine.seconds, monotonic)
    clock.now()
    clock._engine = type(
        "Gone", (), {"dialect": postgres_engine.dialect, "connect": lambda self: (_ for _ in ()).throw(UNAVAILABLE)}
    )()
    monotonic.seconds += 3600
    machine.seconds += 3600 + set_by

    assert abs((clock.now() - datetime.now(UTC)).total_seconds() - 3600) < 5
