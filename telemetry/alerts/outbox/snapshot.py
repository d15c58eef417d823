"""A snapshot of the outbox: all that the dispatcher needs to decide what to do next, from one read transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.incident import COLUMNS_WITHOUT_STACK, Incident
from telemetry.alerts.notification import Notification, PendingIncident
from telemetry.alerts.outbox.channel_state import ChannelState, read_channel
from telemetry.alerts.outbox.leases import Lease, LeaseClaim
from telemetry.alerts.outbox.maintenance import is_maintenance_due
from telemetry.alerts.outbox.notifications import read_notification
from telemetry.alerts.outbox.silences import IS_SILENCED

RENOTIFY_AFTER: Final = 4 * 3600.0
"""Seconds after which a message reminds of an alert that goes on."""
EDIT_INTERVAL: Final = 60.0
"""Seconds between two edits of a message, which update its count."""
MAX_GROUP: Final = 500
"""Alerts of one message."""
_RECENT_SECONDS: Final = 60.0
_IN_UNSENT_POST: Final = (
    "EXISTS (SELECT 1 FROM tellings JOIN posts ON posts.id = post_id "
    "WHERE incident_id = incidents.id AND posts.sent_at IS NULL AND posts.kind <> 'file')"
)
_PENDING: Final = f"""
SELECT {COLUMNS_WITHOUT_STACK}, CASE WHEN told_post IS NULL THEN 'alert' WHEN ended = 'resolved' THEN 'end' ELSE 'again' END AS reason FROM incidents
WHERE muted_by IS NULL AND due_at <= :now AND NOT {IS_SILENCED} AND NOT {_IN_UNSENT_POST} AND (
    (told_post IS NULL AND (ended_at IS NULL OR ended = 'resolved'))
    OR (told_post IS NOT NULL AND ended = 'resolved' AND NOT end_told)
    OR (told_post IS NOT NULL AND ended_at IS NULL AND told_at + {RENOTIFY_AFTER} <= iif(state = '', last_at, :now))
)
ORDER BY first_at LIMIT {MAX_GROUP}
"""  # noqa: S608  # the constants above
_HAS_UNDELIVERED: Final = """
SELECT EXISTS (SELECT 1 FROM incidents WHERE told_post IS NULL AND (ended_at IS NULL OR ended = 'resolved'))
OR EXISTS (SELECT 1 FROM posts WHERE sent_at IS NULL)
OR EXISTS (SELECT 1 FROM incidents WHERE count > told_count AND told_post IS NOT NULL)
OR EXISTS (SELECT 1 FROM incidents WHERE ended = 'resolved' AND told_post IS NOT NULL AND NOT end_told)
"""
_OUTDATED: Final = """
SELECT posts.* FROM incidents JOIN posts ON posts.id = told_post AND told_post IS NOT NULL AND count > told_count
WHERE channel = ? AND message_id IS NOT NULL AND coalesce(edited_at, sent_at) + ? <= ?
ORDER BY coalesce(edited_at, sent_at) LIMIT 1
"""
# A message whose buttons do not fit the alert any more, or that is to show a silence.
_CHANGED: Final = """
SELECT posts.* FROM posts JOIN tellings ON post_id = posts.id JOIN incidents ON incidents.id = incident_id
WHERE posts.buttons > 0 AND posts.channel = ? AND posts.message_id IS NOT NULL AND (
    posts.changed_at IS NOT NULL OR incidents.ended_at IS NOT NULL
    OR (posts.buttons = 1 AND incidents.acknowledged_at IS NOT NULL)
)
ORDER BY posts.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class OutboxSnapshot:
    """The state of the outbox at one time. All but `lease` is empty if another process has the lease.

    Attributes:
        lease: who sends.
        is_maintenance_due: whether incidents are to be inhibited, ended or expired before anything is sent.
        has_undelivered: whether a message will be due soon although nothing changes, such as after a silence.
        channel: the first channel that is not disabled, or is to be tried again.
        unfinished: the oldest notification without a known outcome, or a file that follows its message.
        pending: the incidents that a message is due for, without their tracebacks.
        outdated: a message whose buttons are outdated; else the one whose count is for the longest, once it may be edited.
        sends: when messages were sent by the channel in the last minute, oldest first.
        recent_alerts: how many different alerts were sent in the last minute.
    """

    lease: Lease | None
    is_maintenance_due: bool = False
    has_undelivered: bool = False
    channel: ChannelState | None = None
    unfinished: Notification | None = None
    pending: Sequence[PendingIncident] = ()
    outdated: Notification | None = None
    sends: Sequence[float] = ()
    recent_alerts: int = 0


def read_snapshot(
    connection: sqlite3.Connection, claim: LeaseClaim, channels: Sequence[str], now: float
) -> OutboxSnapshot:
    """Read the outbox.

    Args:
        connection: in a read transaction.
        claim: what the process needs to send.
        channels: the names of the configured channels, the preferred one first.
        now: Unix time.
    """
    lease = claim.read(connection)
    if claim.is_held_by_other(lease, now):
        return OutboxSnapshot(lease)
    is_due = is_maintenance_due(connection, now)
    states = (read_channel(connection, name) for name in channels)
    channel = next((state for state in states if state.is_usable(now)), None)
    if channel is None:
        return OutboxSnapshot(lease, is_due, _has_undelivered(connection))
    return OutboxSnapshot(
        lease,
        is_due,
        _has_undelivered(connection),
        channel,
        _unfinished(connection),
        _pending(connection, now),
        _outdated(connection, channel.name, now),
        _sends(connection, channel.name, now - _RECENT_SECONDS),
        _recent_alerts(connection, now - _RECENT_SECONDS),
    )


def _has_undelivered(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute(_HAS_UNDELIVERED).fetchone()[0])


def _unfinished(connection: sqlite3.Connection) -> Notification | None:
    row = connection.execute("SELECT * FROM posts WHERE sent_at IS NULL ORDER BY id LIMIT 1").fetchone()
    return None if row is None else read_notification(connection, row)


def _pending(connection: sqlite3.Connection, now: float) -> list[PendingIncident]:
    rows = connection.execute(_PENDING, {"now": now}).fetchall()
    return [PendingIncident(Incident.from_row(row), row["reason"]) for row in rows]


def _outdated(connection: sqlite3.Connection, channel: str, now: float) -> Notification | None:
    row = (
        connection.execute(_CHANGED, (channel,)).fetchone()
        or connection.execute(_OUTDATED, (channel, EDIT_INTERVAL, now)).fetchone()
    )
    return None if row is None else read_notification(connection, row)


def _sends(connection: sqlite3.Connection, channel: str, since: float) -> list[float]:
    rows = connection.execute("SELECT at FROM sends WHERE channel = ? AND at > ? ORDER BY at", (channel, since))
    return [row["at"] for row in rows]


def _recent_alerts(connection: sqlite3.Connection, since: float) -> int:
    return int(connection.execute("SELECT count(*) FROM incidents WHERE told_at > ?", (since,)).fetchone()[0])
