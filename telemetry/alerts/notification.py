"""A notification: one message about one or more incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from telemetry.alerts.incident import Incident

NotificationKind = Literal["alert", "again", "digest", "summary", "end", "file"]
"""The first message, a reminder, many alerts at once, many old ones, a resolution, and the rest of a cut message."""


class Buttons(IntEnum):
    """Which buttons a message has: none, those of an alert that nobody has acknowledged, or those of an acknowledged one."""

    NONE = 0
    OPEN = 1
    ACKNOWLEDGED = 2


PendingReason = Literal["alert", "again", "end"]


@dataclass(frozen=True, slots=True)
class PendingIncident:
    """An incident that a message is due for: its first, a reminder, or the one about its end."""

    incident: Incident
    reason: PendingReason


@dataclass(frozen=True, slots=True)
class Notification:
    """`id` is 0 until the outbox has it. `possible_duplicate`: whether an earlier attempt arrived is not known.

    `message_id` counts in `chat_id` alone, and only the bot `bot_id` may edit it. `buttons` says which it has, and `changed_at`
    when something changed that the message does not show yet (Unix time).
    """

    kind: NotificationKind
    incidents: Sequence[Incident]
    id: int = 0
    possible_duplicate: bool = False
    chat_id: str | None = None
    message_id: int | None = None
    bot_id: str | None = None
    created_at: float = 0.0
    buttons: Buttons = Buttons.NONE
    changed_at: float | None = None
