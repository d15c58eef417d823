"""AlertQueries: what was told, when, why and after how many attempts, what waits and why that does; for routes, checks and metrics."""

from dataclasses import dataclass
from typing import Any, Final

from telemetry.alerts.incident import BRIEF, Incident
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.notifications import IS_SILENCED

_COUNTS: Final = f"""
SELECT
    coalesce(sum(is_waiting), 0) AS waiting,
    coalesce(sum(told_post IS NOT NULL AND ended_at IS NULL), 0) AS told,
    coalesce(sum(is_open AND is_silenced), 0) AS silenced,
    coalesce(sum(is_open AND muted_by IS NOT NULL), 0) AS muted,
    min(iif(is_waiting, first_at, NULL)) AS oldest
FROM (
    SELECT *, is_open AND told_post IS NULL AND muted_by IS NULL AND NOT is_silenced AS is_waiting FROM (
        SELECT *, (ended_at IS NULL OR (ended = 'resolved' AND told_post IS NULL)) AS is_open, {IS_SILENCED} AS is_silenced
        FROM incidents WHERE ended_at IS NULL OR told_post IS NULL
    )
)
"""  # noqa: S608  # the constant above

_OF_POSTS: Final = ("channel", "kind", "sent_at", "edited_at", "message_id", "is_doubtful")
_PAGE: Final = f"""
SELECT {BRIEF}, {IS_SILENCED} AS is_silenced, {", ".join(f"posts.{name} AS post_{name}" for name in _OF_POSTS)}
FROM incidents LEFT JOIN posts ON posts.id = (
    SELECT max(post_id) FROM tellings JOIN posts AS told ON told.id = post_id
    WHERE incident_id = incidents.id AND told.kind NOT IN ('end', 'file')
)
WHERE incidents.id < :before ORDER BY incidents.id DESC LIMIT :limit
"""  # noqa: S608  # the constants above


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """Alerts that are not over: those that wait to be told, were told, are silenced, or are muted by their cause."""

    waiting: int
    told: int
    silenced: int
    muted: int
    oldest: float | None
    """Since when the first of those that wait does."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert, and the message that tells of it."""

    incident: Incident
    channel: str | None
    kind: str | None
    sent_at: float | None
    edited_at: float | None
    message_id: int | None
    is_doubtful: bool
    is_silenced: bool


class AlertQueries:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def counts(self, now: float) -> AlertCounts:
        with self._outbox.transaction() as connection:
            return AlertCounts(**dict(connection.execute(_COUNTS, {"now": now}).fetchone()))

    def page(self, now: float, *, before: int | None = None, limit: int = 50) -> list[AlertRecord]:
        """The newest first, without their tracebacks."""
        with self._outbox.transaction() as connection:
            rows = connection.execute(_PAGE, {"now": now, "before": before or 2**62, "limit": limit}).fetchall()
        return [_told(dict(row)) for row in rows]

    def get(self, fingerprint: str, now: float) -> AlertRecord | None:
        """The newest with this fingerprint."""
        with self._outbox.transaction() as connection:
            row = connection.execute("SELECT max(id) FROM incidents WHERE fingerprint = ?", (fingerprint,)).fetchone()
        found = self.page(now, before=row[0] + 1, limit=1) if row[0] is not None else []
        return found[0] if found else None

    def channels(self) -> list[ChannelState]:
        with self._outbox.transaction() as connection:
            rows = connection.execute("SELECT * FROM channels ORDER BY name").fetchall()
        return [ChannelState.from_row(row) for row in rows]


def _told(values: dict[str, Any]) -> AlertRecord:
    post = {name: values.pop(f"post_{name}") for name in _OF_POSTS}
    is_silenced = bool(values.pop("is_silenced"))
    return AlertRecord(
        **post | {"is_doubtful": bool(post["is_doubtful"])}, incident=Incident.from_row(values), is_silenced=is_silenced
    )
