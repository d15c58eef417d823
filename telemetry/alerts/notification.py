"""A notification: one message about one or more incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from telemetry.alerts.incident import Incident

NotificationKind = Literal["alert", "again", "digest", "summary", "end", "file"]


PendingReason = Literal["alert", "again", "end"]


@dataclass(frozen=True, slots=True)
class PendingIncident:
    """An alert, and why it is to be told."""

    incident: Incident
    why: PendingReason


@dataclass(frozen=True, slots=True)
class Notification:
    """`id` is 0 for one that has not been begun."""

    kind: NotificationKind
    incidents: Sequence[Incident]
    id: int = 0
    is_doubtful: bool = False
    chat_id: str | None = None
    message_id: int | None = None
    created_at: float = 0.0
