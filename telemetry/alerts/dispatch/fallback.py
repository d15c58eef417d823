"""Sends alerts that cannot be written to the outbox directly to a channel, grouped into one message."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from telemetry.alerts.alert import Alert
from telemetry.alerts.channels.channel import (
    MAX_UNREADABLE_RESPONSES,
    PROBE_INTERVAL,
    Channel,
    ChannelError,
    UnreadableResponse,
)
from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import Notification, NotificationKind
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import NO_LINKS, Links, RenderRequest, render

FALLBACK_AFTER: Final = 10.0
"""Seconds for which the disk has to refuse alerts before they are sent without it."""
FALLBACK_INTERVAL: Final = 60.0
"""Seconds between two such messages of a process."""
CountedAlert = tuple[Alert, int]


class FallbackNotifier:
    """Used while the outbox cannot be written. Alerts that were sent here are not sent again; the others stay pending."""

    def __init__(self, channels: Sequence[Channel], clock: Callable[[], float], links: Links = NO_LINKS) -> None:
        self._links = links
        self._channels = channels
        self._clock = clock
        self._failing_since: float | None = None
        self._sent_at = float("-inf")
        self._possible_duplicate = False
        self._unreadable: Counter[str] = Counter()
        self._probed_at: dict[str, float] = {}

    def outbox_recovered(self) -> None:
        self._failing_since = None
        self._unreadable.clear()

    def outbox_failed(self) -> bool:
        """Note that a write failed. Returns whether a message is due."""
        now = self._clock()
        self._failing_since = now if self._failing_since is None else self._failing_since
        is_old = abs(now - self._failing_since) >= FALLBACK_AFTER  # the clock may be set back
        return is_old and abs(now - self._sent_at) >= FALLBACK_INTERVAL

    def send(self, alerts: Sequence[CountedAlert]) -> str:
        """Send one message about all of them. Returns the name of the channel that accepted it, or ""."""
        self._sent_at = self._clock()
        incidents = [_to_incident(number, alert, count) for number, (alert, count) in enumerate(alerts, 1)]
        duplicate = self._possible_duplicate
        notification = Notification(_kind(alerts), incidents, possible_duplicate=duplicate)
        request = RenderRequest(notification.kind, incidents, self._sent_at, possible_duplicate=duplicate)
        message = render(request, self._links)
        for channel in self._channels:
            if not self._is_usable(channel):
                continue
            try:
                channel.send(notification, message, ChannelState(channel.name))
            except ChannelError as error:
                self._possible_duplicate |= error.outcome_unknown
                self._unreadable[channel.name] += isinstance(error, UnreadableResponse)
            else:
                self._possible_duplicate = False
                return channel.name
        return ""

    def _is_usable(self, channel: Channel) -> bool:
        """False for a channel with many unreadable responses, unless a probe finds that it works again."""
        if self._unreadable[channel.name] < MAX_UNREADABLE_RESPONSES:
            return True
        if abs(self._clock() - self._probed_at.get(channel.name, float("-inf"))) < PROBE_INTERVAL:
            return False
        self._probed_at[channel.name] = self._clock()
        try:
            channel.probe(ChannelState(channel.name))
        except ChannelError:
            return False
        return True


def _kind(alerts: Sequence[CountedAlert]) -> NotificationKind:
    if len(alerts) > 1:
        return "digest"
    return "end" if alerts[0][0].is_resolved else "alert"


def _to_incident(number: int, alert: Alert, count: int) -> Incident:
    return Incident(
        id=number,
        fingerprint=alert.fingerprint,
        state=alert.state,
        level=alert.level,
        component=alert.component,
        summary=alert.summary,
        error=alert.error,
        location=alert.location,
        stack=alert.stack,
        facts=alert.facts,
        inhibited_by=alert.inhibited_by,
        trace_id=alert.trace_id,
        span_id=alert.span_id,
        is_sampled=alert.is_sampled,
        first_at=alert.at,
        last_at=alert.at,
        count=count,
        due_at=alert.at,
        ended_at=alert.at if alert.is_resolved else None,
        end_reason="resolved" if alert.is_resolved else None,
        inhibitor_id=None,
        notified_at=None,
        notification_id=None,
        notified_count=0,
        end_notified=False,
        section=alert.section,
        resolution=alert.summary if alert.is_resolved else "",
    )
