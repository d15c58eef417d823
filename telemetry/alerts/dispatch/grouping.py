"""Groups pending alerts into notifications: many at once into a digest, old ones into a summary. Pure."""

from collections.abc import Sequence
from typing import Final

from telemetry.alerts.channels.rate_limit import RecentSends
from telemetry.alerts.notification import Notification, PendingIncident

MAX_NOTIFICATIONS_PER_MINUTE: Final = 20
"""Different alerts of a minute that get a message each; more become a digest."""
OLD_AFTER: Final = 3600.0
"""Seconds after which alerts that could not be sent become one summary."""


def next_notification(pending: Sequence[PendingIncident], recent: RecentSends, now: float) -> Notification | None:
    """The next one: the old alerts as a summary, too many as a digest, else the gravest alone."""
    if not pending:
        return None
    new = [each for each in pending if each.reason == "alert"]
    old = [each.incident for each in new if each.incident.first_at < now - OLD_AFTER]
    if len(old) > 1:
        return Notification("summary", old)
    if len(new) > 1 and len(new) + recent.alerts > MAX_NOTIFICATIONS_PER_MINUTE:
        return Notification("digest", [each.incident for each in new])
    first = min(pending, key=lambda each: (-each.incident.level.severity, each.incident.first_at))
    return Notification(first.reason, [first.incident])
