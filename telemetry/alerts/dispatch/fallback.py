"""FallbackNotifier: alerts that the disk does not take are told without it, as one message, as well as that goes."""

from collections.abc import Callable, Sequence
from typing import Final

from telemetry.alerts.alert import Alert
from telemetry.alerts.channels.channel import Channel, ChannelError
from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import RenderRequest, compose

FALLBACK_AFTER: Final = 10.0
FALLBACK_INTERVAL: Final = 60.0
"""Seconds: for which the disk has to refuse them; between two such messages of a process."""
CountedAlert = tuple[Alert, int]


class FallbackNotifier:
    """Told by whoever can't write. What was sent here is not sent again; what can't be sent goes on waiting."""

    def __init__(self, channels: Sequence[Channel], clock: Callable[[], float]) -> None:
        self._channels = channels
        self._clock = clock
        self._since: float | None = None
        self._told = float("-inf")

    def over(self) -> None:
        self._since = None

    def is_due(self) -> bool:
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since >= FALLBACK_AFTER and now - self._told >= FALLBACK_INTERVAL

    def tell(self, alerts: Sequence[CountedAlert]) -> bool:
        """Whether a channel took it."""
        self._told = self._clock()
        incidents = [_incident(number, alert, count) for number, (alert, count) in enumerate(alerts, 1)]
        post = Notification("digest", incidents)
        message = compose(RenderRequest("digest", incidents, self._told))
        for channel in self._channels:
            try:
                channel.send(post, message, ChannelState(channel.name))
            except ChannelError:
                continue
            return True
        return False


def _incident(number: int, alert: Alert, count: int) -> Incident:
    return Incident(
        id=number,
        fingerprint=alert.fingerprint,
        state=alert.state,
        level=alert.level,
        component=alert.component,
        words=alert.summary,
        error=alert.error,
        place=alert.location,
        stack=alert.stack,
        facts=alert.facts,
        follows=alert.inhibited_by,
        trace_id=alert.trace_id,
        span_id=alert.span_id,
        is_sampled=alert.is_sampled,
        first_at=alert.at,
        last_at=alert.at,
        count=count,
        due_at=alert.at,
        ended_at=alert.at if alert.is_resolved else None,
        ended="resolved" if alert.is_resolved else None,
        muted_by=None,
        told_at=None,
        told_post=None,
        told_count=0,
        end_told=False,
    )
