"""Incident: everything that is known of one alert with all its repeats, as the outbox keeps it."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self

from telemetry.alerts.alert import AlertLevel

Ended = Literal["resolved", "quiet", "muted", "silenced", "given up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Moments are Unix time. `told_count` is the count in the message that tells of it, and `told_post` that message.

    `attempts` were made to tell of it; `refusal` is why the last of them failed, when it did.
    """

    id: int
    fingerprint: str
    state: str
    level: AlertLevel
    component: str
    words: str
    error: str
    place: str
    stack: str
    facts: Mapping[str, str]
    follows: str
    trace_id: str
    span_id: str
    is_sampled: bool
    first_at: float
    last_at: float
    count: int
    due_at: float
    ended_at: float | None
    ended: Ended | None
    muted_by: int | None
    told_at: float | None
    told_post: int | None
    told_count: int
    end_told: bool
    attempts: int = 0
    refusal: str | None = None

    @classmethod
    def from_row(cls, row: sqlite3.Row | Mapping[str, Any]) -> Self:
        values = dict(row)
        return cls(
            **values
            | {
                "level": AlertLevel(values["level"]),
                "facts": json.loads(values["facts"]),
                "is_sampled": bool(values["is_sampled"]),
                "end_told": bool(values["end_told"]),
            }
        )

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


BRIEF: Final = ", ".join(
    "'' AS stack" if each.name == "stack" else f"incidents.{each.name}" for each in fields(Incident)
)
"""The columns of an incident without its traceback, which may be a megabyte."""
