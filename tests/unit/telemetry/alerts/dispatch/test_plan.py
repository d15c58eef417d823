import pytest

from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.dispatch.plan import (
    IDLE_SECONDS,
    MAX_PAUSE,
    MAX_SNAPSHOT_AGE,
    STANDBY_SECONDS,
    Edit,
    Send,
    Wait,
    needs_maintenance,
    next_action,
)
from telemetry.alerts.notification import Notification, PendingIncident
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.leases import Lease, LeaseClaim
from telemetry.alerts.outbox.snapshot import OutboxSnapshot
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import incident

CLAIM = LeaseClaim("sender", "us", 30.0)
LIMITS = {"telegram": ChannelRateLimit(1.0, 18)}
TELEGRAM = ChannelState("telegram")
OURS = Lease("us", NOON + 30)
THEIRS = Lease("them", NOON + 5)
PENDING = [PendingIncident(incident(), "alert")]
UNFINISHED = Notification("alert", [incident()], id=3, possible_duplicate=True)
OUTDATED = Notification("alert", [incident(count=5)], id=2, message_id=7)


def snapshot(**values):
    return OutboxSnapshot(**{"lease": OURS, "channel": TELEGRAM} | values)


def action(**values):
    return next_action(snapshot(**values), CLAIM, LIMITS, NOON)


def test_an_idle_sender_waits_a_second_and_need_not_read_an_unchanged_outbox_for_ten():
    assert action() == Wait(IDLE_SECONDS, NOON + MAX_SNAPSHOT_AGE)


def test_an_unchanged_outbox_is_read_again_when_the_lease_is_to_be_renewed():
    assert action(lease=Lease("us", NOON + 20)) == Wait(IDLE_SECONDS, NOON + 5)


def test_an_outbox_with_undelivered_alerts_is_read_each_time_since_one_may_become_due():
    assert action(has_undelivered=True) == Wait(IDLE_SECONDS, NOON)


def test_while_another_process_has_the_lease_nothing_is_sent_until_it_ends():
    assert action(lease=THEIRS, pending=PENDING) == Wait(STANDBY_SECONDS, NOON + 5)


def test_without_a_lease_nothing_is_sent():
    assert action(lease=None, pending=PENDING) == Wait(STANDBY_SECONDS, NOON)


def test_without_a_channel_that_is_enabled_nothing_is_sent():
    assert action(channel=None, pending=PENDING) == Wait(STANDBY_SECONDS, NOON + MAX_SNAPSHOT_AGE)


@pytest.mark.parametrize(("pause", "seconds"), [(3, 3), (600, MAX_PAUSE)])
def test_a_paused_channel_is_left_alone_but_the_lease_does_not_expire_meanwhile(pause, seconds):
    assert action(channel=ChannelState("telegram", paused_until=NOON + pause), pending=PENDING) == Wait(seconds)


def test_an_unfinished_notification_comes_before_pending_alerts_and_these_before_edits():
    everything = {"unfinished": UNFINISHED, "pending": PENDING, "outdated": OUTDATED}

    first = action(**everything)
    second = action(**everything | {"unfinished": None})
    third = action(outdated=OUTDATED)

    assert first == Send(TELEGRAM, UNFINISHED)
    assert second == Send(TELEGRAM, Notification("alert", [incident()]))
    assert third == Edit(TELEGRAM, OUTDATED)


def test_the_rate_limit_keeps_messages_free_for_digests_and_alerts():
    sends = [NOON - 50 + number for number in range(15)]

    assert action(pending=PENDING, sends=sends) == Wait(10.0)
    assert action(outdated=OUTDATED, sends=sends) == Wait(IDLE_SECONDS, NOON + MAX_SNAPSHOT_AGE)
    assert action(unfinished=UNFINISHED, sends=sends) == Send(TELEGRAM, UNFINISHED)
    assert action(unfinished=UNFINISHED, sends=[NOON - 0.25]) == Wait(0.75)


@pytest.mark.parametrize(
    ("lease", "is_due", "expected"),
    [
        (OURS, False, False),
        (OURS, True, True),
        (Lease("us", NOON + 15), False, True),
        (Lease("us", NOON + 31), False, True),
        (THEIRS, True, False),
        (Lease("them", NOON), False, True),
        (Lease("them", NOON + 301), False, True),
        (None, False, True),
    ],
)
def test_maintenance_is_for_who_has_the_lease_or_may_have_it(lease, is_due, expected):
    assert needs_maintenance(snapshot(lease=lease, is_maintenance_due=is_due), CLAIM, NOON) == expected
