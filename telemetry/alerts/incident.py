"""An incident: one alert with all its repeats, as the outbox keeps it."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self

from telemetry.alerts.alert import AlertLevel

EndReason = Literal["resolved", "expired", "inhibited", "silenced"]
"""Values of the outbox: `quiet` and `given up` are expired incidents, `muted` are inhibited ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Timestamps are Unix time.

    `state` names a condition that lasts; it is empty for an error. `resolution` says how it ended, once it did. `section` is
    that of the runbook. `inhibited_by` names the condition that may have caused the incident, `inhibitor_id` the incident that
    did. `notification_id` is the message that reports it, and `notified_count` the count in that message. `attempts` counts
    sends, `last_error` says why the last one failed. `acknowledged_by` is empty until a person has acknowledged it.
    """

    id: int
    fingerprint: str
    state: str
    level: AlertLevel
    component: str
    summary: str
    error: str
    location: str
    stack: str
    facts: Mapping[str, str]
    inhibited_by: str
    trace_id: str
    span_id: str
    is_sampled: bool
    first_at: float
    last_at: float
    count: int
    due_at: float
    ended_at: float | None
    end_reason: EndReason | None
    inhibitor_id: int | None
    notified_at: float | None
    notification_id: int | None
    notified_count: int
    end_notified: bool
    attempts: int = 0
    last_error: str | None = None
    section: str = ""
    resolution: str = ""
    acknowledged_at: float | None = None
    acknowledged_by: str = ""

    @classmethod
    def from_row(cls, row: sqlite3.Row | Mapping[str, Any]) -> Self:
        """Build an incident from a row of `incidents`; columns of other tables in it are ignored."""
        values = {name: row[column] for name, column in _COLUMNS.items()}
        return cls(
            **values
            | {
                "level": AlertLevel(values["level"]),
                "facts": json.loads(values["facts"]),
                "end_reason": _END_REASONS.get(values["end_reason"], values["end_reason"]),
                "is_sampled": bool(values["is_sampled"]),
                "end_notified": bool(values["end_notified"]),
            }
        )

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def seconds_to_acknowledge(self) -> float | None:
        return None if self.acknowledged_at is None else max(0.0, self.acknowledged_at - self.first_at)

    @property
    def seconds_to_resolve(self) -> float | None:
        """None unless its condition was resolved."""
        return (
            None if self.end_reason != "resolved" or self.ended_at is None else max(0.0, self.ended_at - self.first_at)
        )

    @property
    def delay(self) -> float | None:
        """Seconds from its first report until its message was accepted; None while it is not."""
        return None if self.notified_at is None else max(0.0, self.notified_at - self.first_at)


# How the outbox's file says it.
_END_REASONS: Final = {"quiet": "expired", "given up": "expired", "muted": "inhibited"}
_RENAMED: Final = {
    "summary": "words",
    "location": "place",
    "inhibited_by": "follows",
    "end_reason": "ended",
    "inhibitor_id": "muted_by",
    "notified_at": "told_at",
    "notification_id": "told_post",
    "notified_count": "told_count",
    "end_notified": "end_told",
    "last_error": "refusal",
}
_COLUMNS: Final = {each.name: _RENAMED.get(each.name, each.name) for each in fields(Incident)}
COLUMNS_WITHOUT_STACK: Final = ", ".join(
    "'' AS stack" if column == "stack" else f"incidents.{column}" for column in _COLUMNS.values()
)
"""The columns of an incident without its traceback, which may be a megabyte."""
