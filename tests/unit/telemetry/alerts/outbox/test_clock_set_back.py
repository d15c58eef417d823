import pytest

from telemetry.alerts.outbox.leases import LeaseClaim
from tests.support.telegram_server import NOON, HandClock, StrictTelegram
from tests.unit.telemetry.alerts.conftest import alert

HOUR = 3600.0
BACK = [90.0, HOUR / 2, HOUR, 24 * HOUR, NOON - 300]


class TrueClock(HandClock):
    """Telegram's clock, which goes on when that of the machine is set back."""

    def __init__(self, machine):
        self.ahead = 0.0
        self._machine = machine

    @property
    def now(self):
        return self._machine.now + self.ahead


@pytest.fixture
def true_clock(clock):
    return TrueClock(clock)


@pytest.fixture
def telegram(true_clock):
    return StrictTelegram(true_clock)


@pytest.fixture
def set_back(clock, true_clock):
    def set_back(seconds):
        true_clock.ahead += seconds
        clock.forward(-seconds)

    return set_back


@pytest.mark.parametrize("back", BACK)
def test_alerts_are_sent_after_the_clock_was_set_back(machine, telegram, clock, set_back, back):
    machine.report(alert("first"))
    machine.run(2)
    machine.report(alert("pending", at=clock() + 1))
    set_back(back)

    machine.report(alert("second", at=clock()))
    machine.run(40)

    assert [text.rpartition("\n")[2] for text in telegram.texts] == ["first failed", "pending failed", "second failed"]


@pytest.mark.parametrize("back", BACK)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_pause_is_over_when_it_was_set_by_another_clock(machine, telegram, clock, set_back, back, restarts):
    machine.report(alert())
    telegram.fault = lambda _method: "429"
    machine.run(1)
    telegram.fault = lambda _method: None
    set_back(back)
    if restarts:
        machine.dispatcher.release()
        machine.start()

    machine.run(40)

    assert len(telegram.texts) == 1


@pytest.mark.parametrize("back", BACK)
def test_a_silence_lasts_as_long_as_it_was_meant_to(machine, telegram, clock, set_back, back):
    machine.silences.create("shop", NOON + HOUR, "stock-taking", NOON)
    set_back(back)
    machine.report(alert(at=clock()))
    machine.run(HOUR - 60, step=30)
    assert telegram.texts == []

    machine.report(alert(at=clock()))
    machine.run(180)
    machine.report(alert("later", at=clock()))
    machine.run(60)

    assert telegram.texts[-1].endswith("later failed")


@pytest.mark.parametrize("back", BACK)
def test_the_lease_of_a_killed_process_is_no_longer_after_the_clock_was_set_back(machine, clock, set_back, back):
    killed, other = LeaseClaim("sender", "killed", 30.0), LeaseClaim("sender", "other", 30.0)
    with machine.outbox.transaction() as connection:
        killed.acquire(connection, clock())
        set_back(back)

        assert not other.is_held_by_other(killed.read(connection), clock())
        assert not other.acquire(connection, clock())
        assert other.is_held_by_other(killed.read(connection), clock())
        assert other.acquire(connection, clock.forward(31))
