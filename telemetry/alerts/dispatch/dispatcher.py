"""Dispatcher: brings what waits in the outbox to a channel, one message at a time, whoever of the machine's processes it is."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from telemetry import semconv
from telemetry.alerts.channels.channel import Channel, ChannelError, MessageGone, Sent
from telemetry.alerts.channels.rate_limit import MINUTE, RecentSends, wait, wait_for_alert, wait_for_edit
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.grouping import next_notification
from telemetry.alerts.notification import Notification, NotificationKind
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.outbox.maintenance import OutboxMaintenance
from telemetry.alerts.outbox.notifications import NotificationRepository
from telemetry.alerts.rendering.message import RenderRequest, compose

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
        self._posts = NotificationRepository(outbox)
        self._upkeep = OutboxMaintenance(outbox)
        self._channels = channels
        self._delivery = delivery
        self._holder = sender.name
        self._clock = sender.clock
        self._random = sender.random
        self._has_begun = False
        self._pruned = 0.0
        self._checkpointed = 0.0

    def step(self) -> float:
        now = self._clock()
        if not self._leases.take(_LEASE_NAME, self._holder, now, LEASE_SECONDS):
            return 2 * IDLE_SECONDS
        if not self._has_begun:  # a command beside a service that sends has no say in that
            self._posts.start_channels()
            self._has_begun = True
        self._keep_up(now)
        found = self._usable()
        if found is None:
            return 2 * IDLE_SECONDS
        channel, state = found
        if (pause := state.paused_until - now) > 0:
            return min(pause, LEASE_SECONDS / 3)
        return self._next(channel, state, now)

    def release(self) -> None:
        """Nobody has to wait for the end of its lease."""
        if self._has_begun:
            self._leases.release(self._holder)

    def _keep_up(self, now: float) -> None:
        if given_up := self._upkeep.settle(now):
            self._delivery.given_up(given_up)
        if abs(now - self._checkpointed) >= _CHECKPOINT_EACH:
            self._checkpointed = now
            self._upkeep.checkpoint()
        if now - self._pruned >= _PRUNE_EACH or now < self._pruned:
            self._pruned = now
            self._upkeep.prune(now)

    def _usable(self) -> tuple[Channel, ChannelState] | None:
        for channel in self._channels:
            state = self._posts.channel(channel.name)
            if state.stopped is None:
                return channel, state
        return None

    def _next(self, channel: Channel, state: ChannelState, now: float) -> float:
        lately = RecentSends(self._posts.sends(channel.name, now - MINUTE), self._posts.told_lately(now - MINUTE))
        if (unsent := self._posts.unsent(channel.name)) is not None:
            return wait(lately, channel.pace, now) or self._send(channel, state, unsent)
        planned = next_notification(self._posts.waiting(now), lately, now)
        if planned is not None:
            is_one = planned.kind not in {"digest", "summary"}
            pause = wait_for_alert(lately, channel.pace, now) if is_one else wait(lately, channel.pace, now)
            return min(pause, LEASE_SECONDS / 3) if pause else self._send(channel, state, planned)
        if not wait_for_edit(lately, channel.pace, now) and (post := self._posts.to_edit(channel.name, now)):
            return self._edit(channel, state, post)
        return IDLE_SECONDS

    def _send(self, channel: Channel, state: ChannelState, planned: Notification) -> float:
        post = self._posts.begin(planned, channel.name, self._clock())
        message = compose(self._telling(post), self._delivery.trace_url)
        try:
            with self._delivery.span(post) as span:
                sent = channel.send(post, message, state)
                span.set_attribute(semconv.MESSAGE_ID, str(sent.message_id))
        except ChannelError as error:
            return self._not_sent(channel, state, post, error)
        self._noted(channel, post, sent, has_rest=message.rest is not None and post.kind != "file")
        return channel.pace.interval

    def _noted(self, channel: Channel, post: Notification, sent: Sent, *, has_rest: bool) -> None:
        now = self._clock()
        well = replace(sent.state, failures=0, paused_until=0.0, last_error=None)
        self._posts.sent(post, well, now, sent.message_id, has_rest=has_rest)
        self._delivery.delivered(channel.name, post, now)

    def _not_sent(self, channel: Channel, state: ChannelState, post: Notification, error: ChannelError) -> float:
        self._delivery.failed(channel.name, error)
        if post.kind == "file" and error.is_about_message:
            self._posts.drop(post)
            return channel.pace.interval
        state = self._after(state, error)
        if state.stopped is not None:
            _log.warning("Alerts can't be sent: %s. They are kept.", error, extra={semconv.COMPONENT: "alerts"})
        self._posts.failed(post, state, str(error), is_doubtful=error.is_doubtful)
        return channel.pace.interval

    def _after(self, state: ChannelState, error: ChannelError) -> ChannelState:
        """How it is after a failure: stopped, or to be left alone for a while that it says, or that grows."""
        now, failures = self._clock(), state.failures + 1
        if error.is_final or error.is_about_message:
            return replace(state, stopped=str(error), last_error=str(error), failures=failures)
        backoff = min(_LONGEST_BACKOFF, 2.0 ** min(failures, 10)) * self._random.uniform(0.5, 1.0)
        pause = backoff if error.retry_after is None else error.retry_after
        if failures == 1 and error.retry_after is None:
            _log.warning("Alerts wait: %s.", error, extra={semconv.COMPONENT: "alerts"})
        return replace(state, paused_until=now + pause, last_error=str(error), failures=failures)

    def _edit(self, channel: Channel, state: ChannelState, post: Notification) -> float:
        self._posts.begin_edit(channel.name, self._clock())
        try:
            state = channel.edit(post, compose(self._telling(post), self._delivery.trace_url), state)
        except MessageGone:
            self._posts.edited(post, state, self._clock(), is_gone=True)
        except ChannelError as error:
            self._delivery.failed(channel.name, error)
            if error.is_about_message:
                self._posts.edited(post, state, self._clock(), is_gone=True)
            else:
                self._posts.save_channel(self._after(state, error))
        else:
            self._posts.edited(post, replace(state, failures=0, last_error=None), self._clock())
        return channel.pace.interval

    def _telling(self, post: Notification) -> RenderRequest:
        muted = self._posts.muted(post.incidents[0]) if post.kind == "end" else 0
        return RenderRequest(
            kind=_of_file(post) if post.kind == "file" else post.kind,
            incidents=post.incidents,
            now=self._clock(),
            begun_at=post.created_at,
            is_doubtful=post.is_doubtful,
            muted=muted,
        )


def _of_file(post: Notification) -> NotificationKind:
    """It has the rest of such a message."""
    return "alert" if len(post.incidents) == 1 else "digest"
