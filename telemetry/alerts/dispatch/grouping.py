"""Planner: what to say next, so that a storm is a handful of messages and an old story is one. Pure."""

from collections.abc import Sequence
from typing import Final

from telemetry.alerts.channels.rate_limit import RecentSends
from telemetry.alerts.notification import Notification, PendingIncident

MAX_NOTIFICATIONS_PER_MINUTE: Final = 20
"""Different alerts; more of them become a digest."""
OLD_AFTER: Final = 3600.0
"""Seconds after which alerts that could not be told are told as one."""


def next_notification(waiting: Sequence[PendingIncident], lately: RecentSends, now: float) -> Notification | None:
    """The first of what waits: the old ones as a summary, too many as a digest, else the gravest alone."""
    if not waiting:
        return None
    fresh = [each for each in waiting if each.why == "alert"]
    old = [each.incident for each in fresh if each.incident.first_at < now - OLD_AFTER]
    if len(old) > 1:
        return Notification("summary", old)
    if len(fresh) > 1 and len(fresh) + lately.told > MAX_NOTIFICATIONS_PER_MINUTE:
        return Notification("digest", [each.incident for each in fresh])
    first = min(waiting, key=lambda each: (-each.incident.level.severity, each.incident.first_at))
    return Notification(first.why, [first.incident])
