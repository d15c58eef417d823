"""Dispatcher: brings what waits in the outbox to a channel, one message at a time, whoever of the machine's processes it is."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from telemetry import semconv
from telemetry.alerts.channels.channel import Channel, ChannelError, MessageGone, Sent
from telemetry.alerts.channels.rate_limit import MINUTE, RecentSends, delay, delay_of_alert, delay_of_edit
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.grouping import next_notification
from telemetry.alerts.notification import Notification, NotificationKind
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.outbox.maintenance import OutboxMaintenance
from telemetry.alerts.outbox.notifications import NotificationRepository
from telemetry.alerts.rendering.message import RenderRequest, render

LEASE_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 1.0
"""Seconds: for how long one process sends before another may; until the next look when there is nothing to do."""
_LONGEST_BACKOFF: Final = 60.0
_PRUNE_EACH: Final = 3600.0
_CHECKPOINT_EACH: Final = 30.0
_LEASE_NAME: Final = "sender"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """Which process sends. `clock` is Unix time; `random` makes waits differ."""

    name: str
    clock: Callable[[], float] = time.time
    random: Random = field(default_factory=Random)


class Dispatcher:
    """`step` does one thing and says after how many seconds to come again; it raises what the outbox raises.

    The channels are in the order of preference: the first that is not stopped is used.
    """

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        delivery: DeliveryTelemetry,
        sender: Sender,
    ) -> None:
        self._leases = OutboxLeases(outbox)
        self._notifications = NotificationRepository(outbox)
        self._maintenance = OutboxMaintenance(outbox)
        self._channels = channels
        self._delivery = delivery
        self._holder = sender.name
        self._clock = sender.clock
        self._random = sender.random
        self._is_started = False
        self._pruned = 0.0
        self._checkpointed = 0.0

    def step(self) -> float:
        now = self._clock()
        if not self._leases.acquire(_LEASE_NAME, self._holder, now, LEASE_SECONDS):
            return 2 * IDLE_SECONDS
        if not self._is_started:  # a command beside a service that sends has no say in that
            self._notifications.enable_channels()
            self._is_started = True
        self._maintain(now)
        found = self._usable()
        if found is None:
            return 2 * IDLE_SECONDS
        channel, state = found
        if (pause := state.paused_until - now) > 0:
            return min(pause, LEASE_SECONDS / 3)
        return self._next(channel, state, now)

    def release(self) -> None:
        """Nobody has to wait for the end of its lease."""
        if self._is_started:
            self._leases.release(self._holder)

    def _maintain(self, now: float) -> None:
        if expired := self._maintenance.update(now):
            self._delivery.expired(expired)
        if abs(now - self._checkpointed) >= _CHECKPOINT_EACH:
            self._checkpointed = now
            self._maintenance.checkpoint()
        if now - self._pruned >= _PRUNE_EACH or now < self._pruned:
            self._pruned = now
            self._maintenance.prune(now)

    def _usable(self) -> tuple[Channel, ChannelState] | None:
        for channel in self._channels:
            state = self._notifications.channel(channel.name)
            if state.disabled_reason is None:
                return channel, state
        return None

    def _next(self, channel: Channel, state: ChannelState, now: float) -> float:
        recent = RecentSends(
            self._notifications.sends(channel.name, now - MINUTE), self._notifications.notified_since(now - MINUTE)
        )
        if (unsent := self._notifications.recover_unsent(channel.name)) is not None:
            return delay(recent, channel.rate_limit, now) or self._send(channel, state, unsent)
        planned = next_notification(self._notifications.pending(now), recent, now)
        if planned is not None:
            is_one = planned.kind not in {"digest", "summary"}
            pause = (
                delay_of_alert(recent, channel.rate_limit, now) if is_one else delay(recent, channel.rate_limit, now)
            )
            return min(pause, LEASE_SECONDS / 3) if pause else self._send(channel, state, planned)
        if not delay_of_edit(recent, channel.rate_limit, now) and (
            outdated := self._notifications.to_edit(channel.name, now)
        ):
            return self._edit(channel, state, outdated)
        return IDLE_SECONDS

    def _send(self, channel: Channel, state: ChannelState, planned: Notification) -> float:
        notification = self._notifications.start_send(planned, channel.name, self._clock())
        message = render(self._request(notification), self._delivery.trace_url)
        try:
            with self._delivery.span(notification) as span:
                sent = channel.send(notification, message, state)
                span.set_attribute(semconv.MESSAGE_ID, str(sent.message_id))
        except ChannelError as error:
            return self._not_sent(channel, state, notification, error)
        self._noted(channel, notification, sent, has_rest=message.rest is not None and notification.kind != "file")
        return channel.rate_limit.interval

    def _noted(self, channel: Channel, notification: Notification, sent: Sent, *, has_rest: bool) -> None:
        now = self._clock()
        well = replace(sent.state, failures=0, paused_until=0.0, last_error=None)
        self._notifications.sent(notification, well, now, sent.message_id, has_rest=has_rest)
        self._delivery.delivered(channel.name, notification, now)

    def _not_sent(
        self, channel: Channel, state: ChannelState, notification: Notification, error: ChannelError
    ) -> float:
        self._delivery.failed(channel.name, error)
        if notification.kind == "file" and error.message_rejected:
            self._notifications.drop(notification)
            return channel.rate_limit.interval
        state = self._after(state, error)
        if state.disabled_reason is not None:
            _log.warning("Alerts can't be sent: %s. They are kept.", error, extra={semconv.COMPONENT: "alerts"})
        self._notifications.failed(notification, state, str(error), outcome_unknown=error.outcome_unknown)
        return channel.rate_limit.interval

    def _after(self, state: ChannelState, error: ChannelError) -> ChannelState:
        """How it is after a failure: stopped, or to be left alone for a while that it says, or that grows."""
        now, failures = self._clock(), state.failures + 1
        if error.permanent or error.message_rejected:
            return replace(state, disabled_reason=str(error), last_error=str(error), failures=failures)
        backoff = min(_LONGEST_BACKOFF, 2.0 ** min(failures, 10)) * self._random.uniform(0.5, 1.0)
        pause = backoff if error.retry_after is None else error.retry_after
        if failures == 1 and error.retry_after is None:
            _log.warning("Alerts wait: %s.", error, extra={semconv.COMPONENT: "alerts"})
        return replace(state, paused_until=now + pause, last_error=str(error), failures=failures)

    def _edit(self, channel: Channel, state: ChannelState, notification: Notification) -> float:
        self._notifications.start_edit(channel.name, self._clock())
        try:
            state = channel.edit(notification, render(self._request(notification), self._delivery.trace_url), state)
        except MessageGone:
            self._notifications.edited(notification, state, self._clock(), is_gone=True)
        except ChannelError as error:
            self._delivery.failed(channel.name, error)
            if error.message_rejected:
                self._notifications.edited(notification, state, self._clock(), is_gone=True)
            else:
                self._notifications.save_channel(self._after(state, error))
        else:
            self._notifications.edited(notification, replace(state, failures=0, last_error=None), self._clock())
        return channel.rate_limit.interval

    def _request(self, notification: Notification) -> RenderRequest:
        inhibited_count = (
            self._notifications.inhibited_count(notification.incidents[0]) if notification.kind == "end" else 0
        )
        return RenderRequest(
            kind=_kind_of_file(notification) if notification.kind == "file" else notification.kind,
            incidents=notification.incidents,
            now=self._clock(),
            created_at=notification.created_at,
            possible_duplicate=notification.possible_duplicate,
            inhibited_count=inhibited_count,
        )


def _kind_of_file(notification: Notification) -> NotificationKind:
    """It has the rest of such a message."""
    return "alert" if len(notification.incidents) == 1 else "digest"
