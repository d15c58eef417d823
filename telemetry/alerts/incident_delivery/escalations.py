"""Escalation: an incident that no person acknowledges goes to the next channel of a list, after each such time to one more."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_delivery.due_deliveries import DeliveryTarget, levels_from
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.silences import IS_SILENCED

LOWEST_ESCALATED: Final = AlertLevel.ERROR
_MAX_AT_ONCE: Final = 50
_DUE: Final = f"""
SELECT id, fingerprint, level, (
    SELECT group_concat(channel) FROM deliveries WHERE incident_id = incidents.id AND escalated_at IS NOT NULL
) AS escalated FROM incidents
WHERE ended_at IS NULL AND acknowledged_at IS NULL AND muted_by IS NULL AND level IN ('ERROR', 'CRITICAL') AND NOT {IS_SILENCED}
AND :now - :after >= coalesce(
    (SELECT max(escalated_at) FROM deliveries WHERE incident_id = incidents.id), due_at
) ORDER BY id
"""  # noqa: S608  # the constant above
_ESCALATE: Final = """
INSERT INTO deliveries (incident_id, channel, key, step, count, escalated_at, remote_id, begun, is_doubtful, attempts, refused)
VALUES (?, ?, ?, '', 0, ?, '', '', 0, 0, 0)
ON CONFLICT (incident_id, channel) DO UPDATE SET escalated_at = excluded.escalated_at WHERE escalated_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """`after` is in seconds; `targets` are the channels in the order of the escalation."""

    after: float
    targets: Sequence[DeliveryTarget]

    def next_channel(self, level: AlertLevel, escalated: Sequence[str]) -> str | None:
        """The next channel that does not get an incident of this level anyway; None if there is no further one."""
        names = (each.name for each in self.targets if each.escalation_only or level not in levels_from(each.lowest))
        return next((name for name in names if name not in escalated), None)


def escalate(outbox: Outbox, policy: EscalationPolicy, now: float) -> int:
    """Escalate what is due, each incident to one channel. Returns how many; of two processes one does it.

    Raises:
        sqlite3.Error, OSError: the outbox cannot be used now.
    """
    with outbox.read() as connection:
        if not _due(connection, policy, now):
            return 0
    with outbox.transaction() as connection:
        found = _due(connection, policy, now)
        connection.executemany(_ESCALATE, [(incident_id, channel, key, now) for incident_id, key, channel in found])
    return len(found)


def _due(connection: sqlite3.Connection, policy: EscalationPolicy, now: float) -> list[tuple[int, str, str]]:
    found: list[tuple[int, str, str]] = []
    for row in connection.execute(_DUE, {"now": now, "after": policy.after}):
        escalated = (row["escalated"] or "").split(",")
        channel = policy.next_channel(AlertLevel(row["level"]), escalated)
        if channel is not None:
            found.append((row["id"], row["fingerprint"], channel))
        if len(found) >= _MAX_AT_ONCE:
            break
    return found
