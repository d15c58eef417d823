import pytest

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.telegram_updates import poller
from telemetry.alerts.telegram_updates.bot_client import PollingConflict
from telemetry.alerts.telegram_updates.poller import PollingLease, UpdatePoller, _pause

CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


class Refusing:
    """Telegram that refuses each poll."""

    def __init__(self, error):
        self.error, self.polls = error, 0

    def updates(self, _offset):
        self.polls += 1
        raise self.error

    def confirm(self, _update_id):
        raise AssertionError("nothing was read")


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(poller.time, "monotonic", lambda: now[0])
    return now


def make_poller(client):
    lease = PollingLease(lambda: True, lambda: None)
    return UpdatePoller(client, lambda _update: None, lambda: [lease], lambda: False)


@pytest.mark.parametrize(("description", "text"), [(CONFLICT, "stands by"), (WEBHOOK, "has a webhook")])
def test_a_process_stands_by_for_another_one_and_says_so_once(clock, caplog, description, text):
    client = Refusing(PollingConflict(description))
    standing_by = make_poller(client)

    for _ in range(20 * 60):
        standing_by.step()
        clock[0] += 1

    assert [text in each.message for each in caplog.records] == [True]
    assert 15 <= client.polls <= 26


def test_each_failure_is_waited_out_for_longer(clock, caplog):
    client = Refusing(ChannelError("telegram cannot be reached"))
    failing = make_poller(client)

    for _ in range(600):
        failing.step()
        clock[0] += 1

    assert len(caplog.records) == 1
    assert 12 <= client.polls <= 22


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ChannelError("", retry_after=17.0), 17.0),
        (ChannelError("", retry_after=86_400.0), 300.0),
        (ChannelError("", permanent=True), 300.0),
    ],
)
def test_telegram_says_how_long_to_wait(error, seconds):
    assert _pause(error, 1) == seconds
