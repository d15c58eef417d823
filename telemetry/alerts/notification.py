"""A notification: one message about one or more incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from telemetry.alerts.incident import Incident

Kind = Literal["alert", "again", "digest", "summary", "end", "file"]


Why = Literal["alert", "again", "end"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert, and why it is to be told."""

    incident: Incident
    why: Why


@dataclass(frozen=True, slots=True)
class Post:
    """`id` is 0 for one that has not been begun."""

    kind: Kind
    incidents: Sequence[Incident]
    id: int = 0
    is_doubtful: bool = False
    chat_id: str | None = None
    message_id: int | None = None
    created_at: float = 0.0
