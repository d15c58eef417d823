"""Brings the alerts of the outbox to a channel, one message at a time, from one process of the machine."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from telemetry import semconv
from telemetry.alerts.channels.channel import Channel, ChannelError, MessageGone, Sent
from telemetry.alerts.dispatch.channel_failures import ChannelFailures
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.message_buttons import silence_notes, with_buttons
from telemetry.alerts.dispatch.plan import (
    Action,
    Edit,
    Send,
    Wait,
    needs_maintenance,
    next_action,
)
from telemetry.alerts.notification import Notification, NotificationKind
from telemetry.alerts.outbox import maintenance
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox, OutboxVersion
from telemetry.alerts.outbox.leases import LeaseClaim, OutboxLeases
from telemetry.alerts.outbox.notifications import NotificationRepository, enable_channels
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.outbox.snapshot import OutboxSnapshot, read_snapshot
from telemetry.alerts.rendering.message import RenderRequest, render
from telemetry.processes import forks

LEASE_SECONDS: Final = 30.0
"""Seconds for which one process sends before another may."""
_PRUNE_INTERVAL: Final = 3600.0
_CHECKPOINT_INTERVAL: Final = 30.0
_LEASE_NAME: Final = "sender"


@dataclass(frozen=True, slots=True)
class Sender:
    """The process that sends. `clock` is Unix time; `random` spreads the retries; `is_dead` is of another one's name."""

    name: str
    clock: Callable[[], float] = time.time
    random: Random = field(default_factory=Random)
    is_dead: Callable[[str], bool] = lambda _name: False


class Dispatcher(forks.ForkAware):
    """Reads a snapshot of the outbox, plans the next action, and executes it; an unchanged outbox is not read again.

    The first channel that is not disabled is used. A disabled one is tried again from time to time.
    """

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        delivery: DeliveryTelemetry,
        sender: Sender,
    ) -> None:
        self._outbox = outbox
        self._notifications, self._silences = NotificationRepository(outbox), Silences(outbox)
        self._channels = channels
        self._delivery = delivery
        self._claim = LeaseClaim(_LEASE_NAME, sender.name, LEASE_SECONDS, sender.is_dead)
        self._clock = sender.clock
        self._failures = ChannelFailures(sender.clock, sender.random)
        self._is_started = False
        self._pruned_at = 0.0
        self._checkpointed_at = 0.0
        self._version: OutboxVersion | None = None
        self._planned_at = 0.0
        self._plan = Wait(0.0)
        forks.register(self)

    def restart_in_child(self) -> None:
        """The lease is the parent's: a child that ends neither sends by it nor releases it."""
        self._claim = replace(self._claim, holder=f"{self._claim.holder}:{os.getpid()}")
        self._is_started, self._version = False, None

    def step(self) -> float:
        """Do one thing. Returns the seconds until the next step.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used now.
        """
        now = self._clock()
        self._checkpoint(now)
        version = self._outbox.version()
        if version == self._version and self._planned_at <= now < self._plan.valid_until:
            return self._plan.seconds
        snapshot = self._read(now)
        if self._needs_maintenance(snapshot, now):
            self._maintain(now)
            version, snapshot = self._outbox.version(), self._read(now)
        action = next_action(snapshot, self._claim, {each.name: each.rate_limit for each in self._channels}, now)
        if isinstance(action, Wait):
            self._version, self._planned_at, self._plan = version, now, action
        return self._execute(action)

    def release(self) -> None:
        """Release the lease, so that no process waits for its end."""
        if self._is_started:
            OutboxLeases(self._outbox).release(self._claim.holder)

    def _checkpoint(self, now: float) -> None:
        if abs(now - self._checkpointed_at) >= _CHECKPOINT_INTERVAL:
            self._checkpointed_at = now
            self._outbox.checkpoint()

    def _read(self, now: float) -> OutboxSnapshot:
        with self._outbox.read() as connection:
            return read_snapshot(connection, self._claim, [each.name for each in self._channels], now)

    def _needs_maintenance(self, snapshot: OutboxSnapshot, now: float) -> bool:
        if self._claim.is_held_by_other(snapshot.lease, now):
            return False
        return not self._is_started or self._is_prune_due(now) or needs_maintenance(snapshot, self._claim, now)

    def _is_prune_due(self, now: float) -> bool:
        return not 0 <= now - self._pruned_at < _PRUNE_INTERVAL

    def _maintain(self, now: float) -> None:
        """Acquire the lease and update the incidents, unless another process was faster."""
        expired = 0
        with self._outbox.transaction() as connection:
            if not self._claim.acquire(connection, now):
                return
            if not self._is_started:  # a command beside a service that sends does not enable its channels
                enable_channels(connection)
            expired = maintenance.maintain(connection, now)
            if self._is_prune_due(now):
                maintenance.prune(connection, now)
        self._is_started = True
        self._pruned_at = now if self._is_prune_due(now) else self._pruned_at
        if expired:
            self._delivery.record_expired(expired)

    def _execute(self, action: Action) -> float:
        if isinstance(action, Wait):
            return action.seconds
        channel = next(each for each in self._channels if each.name == action.channel.name)
        if action.channel.disabled_reason is not None:
            state = self._probe(channel, action.channel)
            if state is None:
                return 0.0
            action = replace(action, channel=state)
        if isinstance(action, Send):
            return self._send(channel, action)
        if isinstance(action, Edit):
            return self._edit(channel, action)
        self._notifications.save_channel(replace(action.channel, failures=0, last_error=None))
        return channel.rate_limit.interval

    def _probe(self, channel: Channel, state: ChannelState) -> ChannelState | None:
        """The state in which a message may be tried again; None if the channel does not work yet."""
        if not self._notifications.start_call(channel.name, self._clock(), self._claim):
            return None
        try:
            return channel.probe(state).enabled()
        except ChannelError as error:
            self._notifications.save_channel(self._failures.probe_failed(state, error))
            return None

    def _send(self, channel: Channel, action: Send) -> float:
        state = action.channel
        notification = self._notifications.start_send(action.notification, channel.name, self._clock(), self._claim)
        if notification is None:
            return 0.0
        message = render(self._request(notification), self._delivery.links)
        try:
            with self._delivery.span(notification) as span:
                sent = channel.send(notification, message, state)
                span.set_attribute(semconv.MESSAGE_ID, str(sent.message_id))
        except ChannelError as error:
            return self._save_failure(channel, state, notification, error)
        has_rest = message.rest is not None and notification.kind != "file"
        self._save_sent(channel, with_buttons(notification, message), sent, has_rest=has_rest)
        return channel.rate_limit.interval

    def _save_sent(self, channel: Channel, notification: Notification, sent: Sent, *, has_rest: bool) -> None:
        now = self._clock()
        state = self._failures.accepted(sent.state)
        notification = replace(notification, message_id=sent.message_id, chat_id=sent.chat_id, bot_id=sent.bot_id)
        self._notifications.mark_sent(notification, state, now, has_rest=has_rest)
        self._delivery.record_delivery(channel.name, notification, now)

    def _save_failure(
        self, channel: Channel, state: ChannelState, notification: Notification, error: ChannelError
    ) -> float:
        self._delivery.record_failure(channel.name, error)
        if notification.kind == "file" and error.message_rejected:
            self._notifications.delete(notification)
            return channel.rate_limit.interval
        state = self._failures.failed(state, error)
        self._notifications.mark_failed(notification, state, str(error), outcome_unknown=error.outcome_unknown)
        return channel.rate_limit.interval

    def _edit(self, channel: Channel, action: Edit) -> float:
        notification, state = action.notification, action.channel
        if not self._notifications.start_call(channel.name, self._clock(), self._claim):
            return 0.0
        message = render(self._request(notification), self._delivery.links)
        notification = with_buttons(notification, message)
        try:
            state = channel.edit(notification, message, state)
        except MessageGone:
            self._notifications.mark_edited(notification, state, self._clock(), is_gone=True)
        except ChannelError as error:
            self._delivery.record_failure(channel.name, error)
            if error.message_rejected:
                self._notifications.mark_edited(notification, state, self._clock(), is_gone=True)
            else:
                self._notifications.save_channel(self._failures.failed(state, error))
        else:
            self._notifications.mark_edited(notification, self._failures.accepted(state), self._clock())
        return channel.rate_limit.interval

    def _request(self, notification: Notification) -> RenderRequest:
        is_end = notification.kind == "end"
        return RenderRequest(
            kind=_kind_of_file(notification) if notification.kind == "file" else notification.kind,
            incidents=notification.incidents,
            now=self._clock(),
            created_at=notification.created_at,
            possible_duplicate=notification.possible_duplicate,
            inhibited_count=self._notifications.inhibited_count(notification.incidents[0]) if is_end else 0,
            notes=silence_notes(self._silences, notification, self._clock())
            if self._delivery.links.has_buttons
            else (),
        )


def _kind_of_file(notification: Notification) -> NotificationKind:
    """The kind of the message that the file belongs to."""
    return "alert" if len(notification.incidents) == 1 else "digest"
