"""Plans the next action of the dispatcher from a snapshot of the outbox. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.channels.rate_limit import (
    ChannelRateLimit,
    RecentSends,
    delay,
    delay_of_alert,
    delay_of_edit,
)
from telemetry.alerts.dispatch.grouping import next_notification
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.leases import LeaseClaim
from telemetry.alerts.outbox.snapshot import OutboxSnapshot

IDLE_SECONDS: Final = 1.0
"""Seconds until the next step when there is nothing to do."""
STANDBY_SECONDS: Final = 2 * IDLE_SECONDS
"""The same for a process that does not send: another one does, or all channels are disabled."""
MAX_PAUSE: Final = 10.0
"""Seconds between two steps at most, so that the lease does not expire."""
MAX_SNAPSHOT_AGE: Final = 10.0
"""Seconds after which an unchanged outbox without undelivered alerts is read again, since its alerts expire and recur."""
_RENEW_BELOW: Final = 0.5
"""Share of the lease that is left when an idle process renews it. A send renews it as well, before it starts."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a notification by the channel of the snapshot."""

    channel: ChannelState
    notification: Notification


@dataclass(frozen=True, slots=True)
class Edit:
    """Update the count in a message that was sent."""

    channel: ChannelState
    notification: Notification


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask whether a disabled channel works again, since no message is due that would tell."""

    channel: ChannelState


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for some seconds. Until `valid_until` that stays right as long as the outbox does not change."""

    seconds: float
    valid_until: float = float("-inf")


Action = Send | Edit | Probe | Wait


def needs_maintenance(snapshot: OutboxSnapshot, claim: LeaseClaim, now: float) -> bool:
    """Whether the lease is to be acquired or renewed, or incidents are to be updated, before anything else."""
    if claim.is_held_by_other(snapshot.lease, now):
        return False
    return snapshot.is_maintenance_due or not claim.has_left(snapshot.lease, _RENEW_BELOW, now)


def next_action(
    snapshot: OutboxSnapshot, claim: LeaseClaim, limits: Mapping[str, ChannelRateLimit], now: float
) -> Action:
    """What the process has to do next.

    Args:
        snapshot: after any maintenance that it needed.
        claim: the lease of the process that sends.
        limits: of the channels, by their names.
        now: Unix time.
    """
    if not claim.has_left(snapshot.lease, 0.0, now):
        until = now if snapshot.lease is None else snapshot.lease.until
        return Wait(STANDBY_SECONDS, min(until, now + MAX_SNAPSHOT_AGE))
    if snapshot.channel is None:
        return Wait(STANDBY_SECONDS, _valid_until(snapshot, claim, now))
    if (pause := snapshot.channel.paused_until - now) > 0:
        return Wait(min(pause, MAX_PAUSE))
    message = _next_message(snapshot, snapshot.channel, limits[snapshot.channel.name], now)
    if message is None and snapshot.channel.disabled_reason is not None:
        return Probe(snapshot.channel)
    return message or Wait(IDLE_SECONDS, _valid_until(snapshot, claim, now))


def _next_message(
    snapshot: OutboxSnapshot, channel: ChannelState, limit: ChannelRateLimit, now: float
) -> Action | None:
    recent = RecentSends(snapshot.sends, snapshot.recent_alerts)
    if snapshot.unfinished is not None:
        return _after(delay(recent, limit, now), Send(channel, snapshot.unfinished))
    if (notification := next_notification(snapshot.pending, recent, now)) is not None:
        is_group = notification.kind in {"digest", "summary"}
        pause = delay(recent, limit, now) if is_group else delay_of_alert(recent, limit, now)
        return _after(pause, Send(channel, notification))
    if snapshot.outdated is not None and not delay_of_edit(recent, limit, now):
        return Edit(channel, snapshot.outdated)
    return None


def _after(pause: float, action: Action) -> Action:
    return Wait(min(pause, MAX_PAUSE)) if pause else action


def _valid_until(snapshot: OutboxSnapshot, claim: LeaseClaim, now: float) -> float:
    if snapshot.lease is None or snapshot.has_undelivered:
        return now
    return min(snapshot.lease.until - _RENEW_BELOW * claim.seconds, now + MAX_SNAPSHOT_AGE)
