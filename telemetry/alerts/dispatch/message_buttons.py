"""What a message with buttons shows besides the alert: which buttons it has, and until when its component is silenced."""

from dataclasses import replace

from telemetry.alerts.notification import Buttons, Notification
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.rendering.message import Message
from telemetry.durations import format_clock


def silence_notes(silences: Silences, notification: Notification, now: float) -> list[str]:
    """Until when the component of a single alert is silenced, and why."""
    if notification.kind not in {"alert", "again"}:
        return []
    component = notification.incidents[0].component
    found = [each for each in silences.active(now) if each.component in {component, "all"}]
    longest = max(found, key=lambda each: each.until, default=None)
    return [] if longest is None else [f"Silenced until {format_clock(longest.until, now)} UTC {longest.reason}"]


def with_buttons(notification: Notification, message: Message) -> Notification:
    """The notification with the buttons that its message has now."""
    if not message.buttons:
        return replace(notification, buttons=Buttons.NONE)
    is_open = notification.incidents[0].acknowledged_at is None
    return replace(notification, buttons=Buttons.OPEN if is_open else Buttons.ACKNOWLEDGED)
