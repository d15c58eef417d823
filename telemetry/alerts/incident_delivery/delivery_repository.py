"""The repository of deliveries: notes each step before a channel is called and after it, in one row for an incident and a channel."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Final

from telemetry.alerts.channels.rate_limit import MINUTE
from telemetry.alerts.incident import Incident
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.due_deliveries import DeliveryTarget, DueDelivery, find_due
from telemetry.alerts.outbox.channel_state import ChannelState, read_channel, save_channel
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.leases import Lease, LeaseClaim

# A row that was made by an escalation has no step yet.
_BEGIN: Final = """
INSERT INTO deliveries (incident_id, channel, key, step, count, remote_id, begun, is_doubtful, attempts, refused)
VALUES (?, ?, ?, '', 0, '', ?, 0, 1, 0)
ON CONFLICT (incident_id, channel) DO UPDATE SET
    is_doubtful = is_doubtful OR begun = excluded.begun, begun = excluded.begun, attempts = attempts + 1
"""
_ACCEPTED: Final = (
    "UPDATE deliveries SET step = iif(:step = 'update', step, :step), count = :count, at = :now, begun = '', attempts = 0, "
    "last_error = NULL, remote_id = iif(:remote_id = '', remote_id, :remote_id) "
    "WHERE incident_id = :incident_id AND channel = :channel"
)
_FAILED: Final = (
    "UPDATE deliveries SET begun = ?, last_error = ?, refused = refused OR ? WHERE incident_id = ? AND channel = ?"
)


@dataclass(frozen=True, slots=True)
class ChannelSnapshot:
    """What one channel has to do. All but `lease` is empty if another process sends there."""

    lease: Lease | None
    state: ChannelState | None = None
    due: tuple[DueDelivery, ...] = ()
    sends: tuple[float, ...] = ()


class DeliveryRepository:
    """`marks_sent`: there is no Telegram and no webhook, so what this channel accepts counts as the incident's message."""

    def __init__(self, outbox: Outbox, target: DeliveryTarget, *, marks_sent: bool = False) -> None:
        self._outbox = outbox
        self._target = target
        self._marks_sent = marks_sent

    def read(self, claim: LeaseClaim, now: float) -> ChannelSnapshot:
        name = self._target.name
        with self._outbox.read() as connection:
            lease = claim.read(connection)
            if claim.is_held_by_other(lease, now):
                return ChannelSnapshot(lease)
            rows = connection.execute(
                "SELECT at FROM sends WHERE channel = ? AND at > ? ORDER BY at", (name, now - MINUTE)
            )
            sends = tuple(row["at"] for row in rows)
            return ChannelSnapshot(
                lease, read_channel(connection, name), tuple(find_due(connection, self._target, now)), sends
            )

    def acquire(self, claim: LeaseClaim, now: float, *, is_first: bool) -> bool:
        """Acquire or renew the lease. At first a disabled channel is used again: its configuration may have been fixed."""
        with self._outbox.transaction() as connection:
            if not claim.acquire(connection, now):
                return False
            if is_first:
                connection.execute(
                    "UPDATE channels SET stopped = NULL, paused_until = 0 WHERE name = ? AND stopped IS NOT NULL",
                    (self._target.name,),
                )
            return True

    def release(self, claim: LeaseClaim) -> None:
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE name = ? AND holder = ?", (claim.name, claim.holder))

    def begin(self, due: DueDelivery, claim: LeaseClaim, now: float) -> DueDelivery | None:
        """Note a step before it is tried: after a crash it is known that it may have arrived.

        Returns the step that is due for this incident now, with its traceback; None for none, or if the lease has expired.
        """
        with self._outbox.transaction() as connection:
            if not claim.renew(connection, now):
                return None
            found = find_due(connection, self._target, now, due.incident.id)
            if not found:
                return None
            incident = found[0].incident
            connection.execute(_BEGIN, (incident.id, self._target.name, incident.fingerprint, found[0].step.value))
            connection.execute("INSERT INTO sends (channel, at) VALUES (?, ?)", (self._target.name, now))
            row = connection.execute("SELECT * FROM incidents WHERE id = ?", (incident.id,)).fetchone()
        return replace(found[0], incident=Incident.from_row(row))

    def accepted(self, done: DueDelivery, remote_id: str, state: ChannelState, now: float) -> None:
        """Note that the channel accepted a step, or that it never accepts this one, so that the next may follow."""
        with self._outbox.transaction() as connection:
            connection.execute(
                _ACCEPTED,
                {
                    "step": done.step.value,
                    "count": done.incident.count,
                    "now": now,
                    "remote_id": remote_id,
                    "incident_id": done.incident.id,
                    "channel": self._target.name,
                },
            )
            save_channel(connection, state)
            if self._marks_sent:
                mark_sent(connection, done.incident, self._target.name, now)

    def failed(
        self, tried: DueDelivery, state: ChannelState, error: str, *, outcome_unknown: bool, refused: bool
    ) -> None:
        """Note that a step was not accepted, or that this is unknown. One that is refused is not tried again."""
        may_have_arrived = tried.is_possible_duplicate or (not tried.reached and tried.begun)
        begun = tried.step.value if outcome_unknown else tried.begun if may_have_arrived else ""
        with self._outbox.transaction() as connection:
            connection.execute(_FAILED, (begun, error, refused, tried.incident.id, self._target.name))
            save_channel(connection, state)


def mark_sent(connection: sqlite3.Connection, incident: Incident, channel: str, now: float) -> None:
    """Note the channel's message as that of the incident, if it has none yet."""
    row = connection.execute(
        "SELECT 1 FROM incidents WHERE id = ? AND coalesce(told_post, 0) = 0", (incident.id,)
    ).fetchone()
    if row is None:
        connection.execute(
            "UPDATE incidents SET told_count = max(told_count, ?) WHERE id = ?", (incident.count, incident.id)
        )
        return
    post = connection.execute(
        "INSERT INTO posts (channel, kind, created_at, sent_at) VALUES (?, 'alert', ?, ?)", (channel, now, now)
    )
    connection.execute("INSERT INTO tellings (post_id, incident_id) VALUES (?, ?)", (post.lastrowid, incident.id))
    connection.execute(
        "UPDATE incidents SET told_post = ?, told_at = ?, told_count = ? WHERE id = ?",
        (post.lastrowid, now, incident.count, incident.id),
    )


STEPS_THAT_MAY_BE_SKIPPED: Final = frozenset({IncidentStep.UPDATE, IncidentStep.ACKNOWLEDGE})
"""If a channel rejects one of these, the next step follows."""
