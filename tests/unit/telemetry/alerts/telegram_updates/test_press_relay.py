"""Two machines with one bot: one reads the presses, the other one has sent the alert."""

from dataclasses import dataclass, field

import pytest

from telemetry.alerts.telegram_updates import press_relay
from telemetry.alerts.telegram_updates.poller import PollingLease
from telemetry.alerts.telegram_updates.press_relay import GIVE_UP_SECONDS, RelayedPress
from tests.unit.telemetry.alerts.telegram_updates.test_operator_bot import ACK, OF_OLGA, OLGA, RUN, Phone


@dataclass
class MemoryRelay:
    """What two machines share."""

    clock: object
    presses: dict = field(default_factory=dict)
    is_up: bool = True

    def put(self, update):
        if self.is_up:
            self.presses[len(self.presses)] = (self.clock(), update)
        return self.is_up

    def waiting(self):
        return [RelayedPress(each, update, self.clock() - at) for each, (at, update) in self.presses.items()]

    def take(self, press_id):
        return self.presses.pop(press_id, None) is not None


@pytest.fixture
def relay(clock):
    return MemoryRelay(clock)


@pytest.fixture
def machines(make_machine, telegram, relay, monkeypatch):
    """The one that sends alerts, and the one that reads."""
    monkeypatch.setattr(press_relay, "LOOK_SECONDS", 0.0)
    sender, reader = (Phone(make_machine(telegram), telegram) for _ in range(2))
    sender.bot.share(PollingLease(lambda: False, lambda: None), relay)
    reader.bot.share(PollingLease(lambda: True, lambda: None), relay)
    return sender, reader


def press(machines, number, button):
    """Press a button, let the reading machine read it, and then the other one look."""
    sender, reader = machines
    query_id = sender.telegram.fake.inbox.press(OLGA, number, *button)
    reader.bot.step()
    sender.bot.step()
    sender.machine.run(3)
    return sender.telegram.fake._updates.query(query_id).answer


def test_a_press_is_handled_by_the_machine_that_has_sent_the_alert(machines):
    sender, reader = machines
    number = sender.fire()

    answers = [press(machines, number, button) for button in (ACK, ACK, RUN)]

    assert answers == ["Acknowledged.", f"Acknowledged already by {OF_OLGA}, 12:00 UTC.", "Starting sync …"]
    assert f"Acknowledged by {OF_OLGA}" in sender.message(number).text
    assert (sender.runs, reader.runs) == ([("sync", OF_OLGA)], [])


def test_a_press_about_an_alert_of_no_machine_is_answered_after_a_moment(machines, relay):
    sender, _reader = machines
    number = sender.fire()
    with sender.machine.outbox.transaction() as connection:
        connection.execute("DELETE FROM incidents")
    query_id = sender.telegram.fake.inbox.press(OLGA, number, *ACK)
    machines[1].bot.step()

    sender.machine.clock.forward(GIVE_UP_SECONDS + 1)
    sender.bot.step()

    assert sender.telegram.fake._updates.query(query_id).answer.startswith("This machine does not know the alert")
    assert relay.presses == {}


def test_without_the_relay_the_reading_machine_says_that_it_does_not_know_the_alert(machines, relay):
    relay.is_up = False
    number = machines[0].fire()

    assert press(machines, number, ACK).startswith("This machine does not know the alert")
