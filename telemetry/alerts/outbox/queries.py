"""Queries for the API, the health check and the metrics: incidents with their notifications, counts and channels."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from telemetry.alerts.incident import COLUMNS_WITHOUT_STACK, Incident
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.silences import IS_SILENCED

_COUNTS: Final = f"""
SELECT
    coalesce(sum(is_pending), 0) AS pending,
    coalesce(sum(told_post > 0 AND ended_at IS NULL), 0) AS notified,
    coalesce(sum(is_open AND is_silenced), 0) AS silenced,
    coalesce(sum(is_open AND muted_by IS NOT NULL), 0) AS inhibited,
    coalesce(sum(ended_at IS NULL AND muted_by IS NULL AND NOT is_silenced), 0) AS firing,
    min(iif(is_pending, first_at, NULL)) AS oldest_pending_at
FROM (
    SELECT *, is_open AND told_post IS NULL AND muted_by IS NULL AND NOT is_silenced AS is_pending FROM (
        SELECT *, (ended_at IS NULL OR (ended = 'resolved' AND told_post IS NULL)) AS is_open, {IS_SILENCED} AS is_silenced
        FROM incidents WHERE ended_at IS NULL OR told_post IS NULL
    )
)
"""  # noqa: S608  # the constant above

_POST_COLUMNS: Final = ("channel", "kind", "sent_at", "edited_at", "message_id", "is_doubtful", "chat_id")
_PAGE: Final = f"""
SELECT {COLUMNS_WITHOUT_STACK}, {IS_SILENCED} AS is_silenced, {", ".join(f"posts.{name} AS post_{name}" for name in _POST_COLUMNS)}
FROM incidents LEFT JOIN posts ON posts.id = (
    SELECT max(post_id) FROM tellings JOIN posts AS told ON told.id = post_id
    WHERE incident_id = incidents.id AND told.kind NOT IN ('end', 'file')
)
WHERE incidents.id < :before ORDER BY incidents.id DESC LIMIT :limit
"""  # noqa: S608  # the constants above


_DELIVERIES: Final = "SELECT * FROM deliveries WHERE incident_id BETWEEN ? AND ? ORDER BY incident_id, channel"


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """Open alerts: those that are pending, were sent, are silenced, or are inhibited. Timestamps are Unix time.

    Attributes:
        firing: those that are neither over, nor silenced, nor inhibited, whether sent or not.
    """

    pending: int
    notified: int
    silenced: int
    inhibited: int
    oldest_pending_at: float | None
    firing: int = 0


AlertState = Literal["pending", "sent", "recorded", "silenced", "inhibited", "ended"]


DeliveryState = Literal["waiting", "open", "acknowledged", "resolved", "rejected"]
_DELIVERY_STATES: Final[dict[str, DeliveryState]] = {
    "": "waiting",
    "open": "open",
    "acknowledge": "acknowledged",
    "resolve": "resolved",
}


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What a channel that keeps incidents has of one. `remote_id` is the channel's own name of it, such as a message's."""

    channel: str
    state: DeliveryState
    remote_id: str
    count: int
    sent_at: float | None
    escalated_at: float | None
    attempts: int
    possible_duplicate: bool
    last_error: str | None


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An incident, the last message that tells of it, and what other channels have of it."""

    incident: Incident
    channel: str | None
    kind: str | None
    sent_at: float | None
    edited_at: float | None
    message_id: int | None
    possible_duplicate: bool
    is_silenced: bool
    chat_id: str | None = None
    deliveries: Sequence[DeliveryRecord] = ()

    @property
    def is_firing(self) -> bool:
        """As `AlertCounts.firing` counts it."""
        return self.incident.is_open and self.incident.inhibitor_id is None and not self.is_silenced

    @property
    def state(self) -> AlertState:
        """An alert that was resolved before its message was sent is pending: that message is still sent.

        `recorded` is one of a level that no channel takes.
        """
        incident = self.incident
        if incident.notification_id is None and incident.end_reason == "resolved":
            return "pending"
        if not incident.is_open:
            return "ended"
        if incident.inhibitor_id is not None:
            return "inhibited"
        if self.is_silenced:
            return "silenced"
        if incident.notification_id is None:
            return "pending"
        return "sent" if incident.notification_id else "recorded"


class AlertQueries:
    """`now` is Unix time; it decides what is silenced."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def counts(self, now: float) -> AlertCounts:
        with self._outbox.read() as connection:
            return AlertCounts(**dict(connection.execute(_COUNTS, {"now": now}).fetchone()))

    def page(self, now: float, *, before: int | None = None, limit: int = 50) -> list[AlertRecord]:
        """The newest incidents first, without their tracebacks."""
        with self._outbox.read() as connection:
            rows = connection.execute(_PAGE, {"now": now, "before": before or 2**62, "limit": limit}).fetchall()
            ids = [row["id"] for row in rows] or [0]
            deliveries = connection.execute(_DELIVERIES, (ids[-1], ids[0])).fetchall()
        return [_record(row, (each for each in deliveries if each["incident_id"] == row["id"])) for row in rows]

    def get(self, fingerprint: str, now: float) -> AlertRecord | None:
        """The newest incident with this fingerprint."""
        with self._outbox.read() as connection:
            row = connection.execute("SELECT max(id) FROM incidents WHERE fingerprint = ?", (fingerprint,)).fetchone()
        records = self.page(now, before=row[0] + 1, limit=1) if row[0] is not None else []
        return records[0] if records else None

    def components(self) -> list[str]:
        """The components of all incidents that are kept, in alphabetical order."""
        with self._outbox.read() as connection:
            return [row[0] for row in connection.execute("SELECT DISTINCT component FROM incidents ORDER BY component")]

    def channels(self) -> list[ChannelState]:
        with self._outbox.read() as connection:
            rows = connection.execute("SELECT * FROM channels ORDER BY name").fetchall()
        return [ChannelState.from_row(row) for row in rows]


def _record(row: sqlite3.Row, deliveries: Iterable[sqlite3.Row]) -> AlertRecord:
    return AlertRecord(
        incident=Incident.from_row(row),
        channel=row["post_channel"],
        kind=row["post_kind"],
        sent_at=row["post_sent_at"],
        edited_at=row["post_edited_at"],
        message_id=row["post_message_id"],
        possible_duplicate=bool(row["post_is_doubtful"]),
        is_silenced=bool(row["is_silenced"]),
        chat_id=row["post_chat_id"],
        deliveries=[_delivery(each) for each in deliveries],
    )


def _delivery(row: sqlite3.Row) -> DeliveryRecord:
    return DeliveryRecord(
        channel=row["channel"],
        state="rejected" if row["refused"] else _DELIVERY_STATES.get(row["step"], "waiting"),
        remote_id=row["remote_id"],
        count=row["count"],
        sent_at=row["at"],
        escalated_at=row["escalated_at"],
        attempts=row["attempts"],
        possible_duplicate=bool(row["is_doubtful"] or row["begun"]),
        last_error=row["last_error"],
    )
