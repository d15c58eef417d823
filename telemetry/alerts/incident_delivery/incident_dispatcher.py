"""Brings the incidents of the outbox to one channel, one step at a time, from one process of the machine."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from telemetry import semconv
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.rate_limit import RecentSends, delay, delay_of_edit
from telemetry.alerts.dispatch.channel_failures import ChannelFailures
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.dispatcher import LEASE_SECONDS, Sender
from telemetry.alerts.dispatch.plan import IDLE_SECONDS, MAX_PAUSE, MAX_SNAPSHOT_AGE, STANDBY_SECONDS
from telemetry.alerts.incident_channels.incident_channel import IncidentStep, LearningChannel
from telemetry.alerts.incident_delivery.delivery_repository import (
    STEPS_THAT_MAY_BE_SKIPPED,
    ChannelSnapshot,
    DeliveryRepository,
)
from telemetry.alerts.incident_delivery.due_deliveries import DeliveryTarget, DueDelivery
from telemetry.alerts.incident_delivery.incident_event import event_of
from telemetry.alerts.notification import Notification, NotificationKind
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox, OutboxVersion
from telemetry.alerts.outbox.leases import LeaseClaim
from telemetry.error_text import safe_text
from telemetry.processes import forks

MAX_REJECTED: Final = 3
"""Incidents that a channel rejects one after the other before it is disabled: then the configuration is wrong."""
_RENEW_BELOW: Final = 0.5
_IDLE_AGE: Final = 2.0
"""Seconds after which an unchanged outbox is read again, since steps become due by the clock alone."""


@dataclass(slots=True)
class _Plan:
    """How long to wait, and until when that stays right while the outbox does not change."""

    version: OutboxVersion | None = None
    made_at: float = 0.0
    valid_until: float = 0.0
    seconds: float = 0.0


class IncidentDispatcher(forks.ForkAware):
    """Reads what is due on its channel, and sends the first of it. It shares nothing with other channels but the file."""

    def __init__(
        self,
        outbox: Outbox,
        target: DeliveryTarget,
        delivery: DeliveryTelemetry,
        sender: Sender,
        *,
        marks_sent: bool = False,
    ) -> None:
        self.target = target
        self.is_idle = False
        """Whether the last step found nothing that can be sent now."""
        self._outbox = outbox
        self._deliveries = DeliveryRepository(outbox, target, marks_sent=marks_sent)
        self._delivery = delivery
        self._claim = LeaseClaim(f"channel {target.name}", sender.name, LEASE_SECONDS, sender.is_dead)
        self._clock = sender.clock
        self._failures = ChannelFailures(sender.clock, sender.random)
        self._rejected = 0
        self._is_started = False
        self._plan = _Plan()
        self._note: Callable[[], None] | None = None
        """What became of a call, if the outbox did not take that: nothing else is sent before it is written."""
        forks.register(self)

    def restart_in_child(self) -> None:
        """The lease is the parent's: a child that ends neither sends by it nor releases it."""
        self._claim = replace(self._claim, holder=f"{self._claim.holder}:{os.getpid()}")
        self._is_started, self._plan, self._note = False, _Plan(), None

    def step(self) -> float:
        """Do one thing. Returns the seconds until the next step.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be used now.
        """
        self._write(self._note)
        now, version = self._clock(), self._outbox.version()
        if version == self._plan.version and self._plan.made_at <= now < self._plan.valid_until:
            self.is_idle = True
            return self._plan.seconds
        self.is_idle = False
        snapshot = self._deliveries.read(self._claim, now)
        if self._claim.is_held_by_other(snapshot.lease, now):
            until = now if snapshot.lease is None else snapshot.lease.until
            return self._wait(version, now, STANDBY_SECONDS, min(until, now + MAX_SNAPSHOT_AGE))
        if not self._is_started or not self._claim.has_left(snapshot.lease, _RENEW_BELOW, now):
            self._is_started |= self._deliveries.acquire(self._claim, now, is_first=not self._is_started)
            return 0.0
        return self._next(snapshot, snapshot.state or ChannelState(self.target.name), version, now)

    def release(self) -> None:
        """Release the lease, so that no process waits for its end."""
        if self._is_started:
            self._deliveries.release(self._claim)

    def _next(self, snapshot: ChannelSnapshot, state: ChannelState, version: OutboxVersion, now: float) -> float:
        if (pause := state.paused_until - now) > 0:
            return self._wait(None, now, min(pause, MAX_PAUSE), now)
        if not snapshot.due:
            return self._wait(version, now, IDLE_SECONDS, now + _IDLE_AGE)
        due, recent, limit = snapshot.due[0], RecentSends(snapshot.sends), self.target.channel.rate_limit
        is_update = due.step == IncidentStep.UPDATE
        if pause := delay_of_edit(recent, limit, now) if is_update else delay(recent, limit, now):
            return self._wait(None, now, min(pause, MAX_PAUSE), now)
        begun = self._deliveries.begin(due, self._claim, now)
        return 0.0 if begun is None else self._send(begun, state)

    def _wait(self, version: OutboxVersion | None, now: float, seconds: float, valid_until: float) -> float:
        self.is_idle = True
        self._plan = _Plan(version, now, valid_until, seconds)
        return seconds

    def _send(self, due: DueDelivery, state: ChannelState) -> float:
        name, notification = self.target.name, Notification(_kind(due), [due.incident])
        try:
            with self._delivery.span(notification) as span:
                remote_id, state = self._deliver(due, state)
                span.set_attribute(semconv.MESSAGE_ID, remote_id)
        except ChannelError as error:
            self._delivery.record_failure(name, error)
            self._save_failure(due, state, error)
        else:
            self._rejected = 0
            now, accepted = self._clock(), self._failures.accepted(state).enabled()
            self._delivery.record_delivery(name, notification, now)
            self._write(partial(self._deliveries.accepted, due, remote_id, accepted, now))
        return self.target.channel.rate_limit.interval

    def _write(self, note: Callable[[], None] | None) -> None:
        self._note = note
        if note is not None:
            note()
        self._note = None

    def _deliver(self, due: DueDelivery, state: ChannelState) -> tuple[str, ChannelState]:
        channel = self.target.channel
        try:
            if not isinstance(channel, LearningChannel):
                return channel.deliver(event_of(due, self._delivery.links, self._clock())), state
            channel.learned = state
            return channel.deliver(event_of(due, self._delivery.links, self._clock())), channel.learned
        except ChannelError:
            raise
        except Exception as error:  # an edge: a channel that fails otherwise must not be called without a pause
            raise ChannelError(f"{self.target.name} failed: {safe_text(error)}", outcome_unknown=True) from error

    def _save_failure(self, due: DueDelivery, state: ChannelState, error: ChannelError) -> None:
        """A step that is rejected is left out, unless the channel rejects everything."""
        self._rejected += error.message_rejected
        is_left_out = error.message_rejected and self._rejected < MAX_REJECTED
        state = replace(state, last_error=str(error)) if is_left_out else self._failed(state, error)
        if is_left_out and due.step in STEPS_THAT_MAY_BE_SKIPPED:
            self._write(partial(self._deliveries.accepted, due, "", state, self._clock()))
            return
        unknown = error.outcome_unknown and not error.message_rejected
        write = partial(self._deliveries.failed, due, state, str(error), outcome_unknown=unknown, refused=is_left_out)
        self._write(write)

    def _failed(self, state: ChannelState, error: ChannelError) -> ChannelState:
        if state.disabled_reason is not None:
            return self._failures.probe_failed(state, error)
        return self._failures.failed(state, error)


def _kind(due: DueDelivery) -> NotificationKind:
    """How the step is measured: the first message has a delay, unless it was sent late on purpose."""
    if due.step == IncidentStep.OPEN and not due.is_escalated:
        return "alert"
    return "end" if due.step == IncidentStep.RESOLVE else "again"
