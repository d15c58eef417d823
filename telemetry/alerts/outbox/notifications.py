"""The repository of notifications: which messages were sent, and which are to be sent.

A row of `posts` is one message. When a process dies during a send, its outcome is unknown: the message is sent again and
says that it may be a duplicate.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from telemetry.alerts.incident import COLUMNS_WITHOUT_STACK, Incident
from telemetry.alerts.notification import Notification, PendingIncident
from telemetry.alerts.outbox.channel_state import ChannelState, read_channel, save_channel
from telemetry.alerts.outbox.file import Outbox

RENOTIFY_AFTER: Final = 4 * 3600.0
"""Seconds after which a message reminds of an alert that goes on."""
EDIT_INTERVAL: Final = 60.0
"""Seconds between two edits of a message, which update its count."""
MAX_GROUP: Final = 500
"""Alerts of one message."""


IS_SILENCED: Final = (
    "EXISTS (SELECT 1 FROM silences WHERE component IN (incidents.component, 'all') "
    "AND created_at <= :now AND until > :now)"
)
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


class NotificationRepository:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def channel(self, name: str) -> ChannelState:
        with self._outbox.transaction() as connection:
            return read_channel(connection, name)

    def save_channel(self, state: ChannelState) -> None:
        with self._outbox.transaction() as connection:
            save_channel(connection, state)

    def sends(self, channel: str, since: float) -> list[float]:
        with self._outbox.transaction() as connection:
            rows = connection.execute("SELECT at FROM sends WHERE channel = ? AND at > ? ORDER BY at", (channel, since))
            return [row["at"] for row in rows]

    def pending(self, now: float) -> list[PendingIncident]:
        with self._outbox.transaction() as connection:
            rows = connection.execute(_PENDING, {"now": now}).fetchall()
        return [PendingIncident(Incident.from_row(row), row["reason"]) for row in rows]

    def notified_since(self, since: float) -> int:
        """How many different alerts were sent since then."""
        with self._outbox.transaction() as connection:
            return int(connection.execute("SELECT count(*) FROM incidents WHERE told_at > ?", (since,)).fetchone()[0])

    def recover_unsent(self, channel: str) -> Notification | None:
        """Move all unfinished notifications to a channel, and return the oldest one.

        Their outcome is unknown, or they are files that follow their message.
        """
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET is_doubtful = 1, begun_at = NULL WHERE sent_at IS NULL AND begun_at IS NOT NULL"
            )
            connection.execute("UPDATE posts SET channel = ? WHERE sent_at IS NULL", (channel,))
            row = connection.execute("SELECT * FROM posts WHERE sent_at IS NULL ORDER BY id LIMIT 1").fetchone()
            return None if row is None else read_notification(connection, row)

    def to_edit(self, channel: str, now: float) -> Notification | None:
        """The message whose count has been outdated for the longest."""
        with self._outbox.transaction() as connection:
            row = connection.execute(
                "SELECT posts.* FROM incidents JOIN posts ON posts.id = told_post AND told_post IS NOT NULL AND count > told_count "
                "WHERE channel = ? AND message_id IS NOT NULL AND coalesce(edited_at, sent_at) + ? <= ? "
                "ORDER BY coalesce(edited_at, sent_at) LIMIT 1",
                (channel, EDIT_INTERVAL, now),
            ).fetchone()
            return None if row is None else read_notification(connection, row)

    def start_send(self, notification: Notification, channel: str, now: float) -> Notification:
        """Note a send before it is tried: after a crash it is known that the message may have arrived."""
        with self._outbox.transaction() as connection:
            notification_id = notification.id
            if not notification_id:
                notification_id = (
                    connection.execute(
                        "INSERT INTO posts (channel, kind, created_at) VALUES (?, ?, ?)",
                        (channel, notification.kind, now),
                    ).lastrowid
                    or 0
                )
                _add_incidents(connection, notification_id, notification.incidents)
            connection.execute("UPDATE posts SET begun_at = ? WHERE id = ?", (now, notification_id))
            connection.execute(
                "UPDATE incidents SET attempts = attempts + 1 WHERE told_post IS NULL "
                "AND id IN (SELECT incident_id FROM tellings WHERE post_id = ?)",
                (notification_id,),
            )
            connection.execute("INSERT INTO sends (channel, at) VALUES (?, ?)", (channel, now))
            row = connection.execute("SELECT * FROM posts WHERE id = ?", (notification_id,)).fetchone()
            return read_notification(connection, row)

    def start_edit(self, channel: str, now: float) -> None:
        with self._outbox.transaction() as connection:
            connection.execute("INSERT INTO sends (channel, at) VALUES (?, ?)", (channel, now))

    def sent(
        self, notification: Notification, state: ChannelState, now: float, message_id: int | None, *, has_rest: bool
    ) -> None:
        """Note that a channel accepted the message."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET sent_at = ?, begun_at = NULL, message_id = ?, chat_id = ? WHERE id = ?",
                (now, message_id, state.chat_id, notification.id),
            )
            save_channel(connection, state)
            for incident in notification.incidents:
                _mark_notified(connection, notification, incident, now)
            if has_rest:
                notification_id = (
                    connection.execute(
                        "INSERT INTO posts (channel, kind, created_at) VALUES (?, 'file', ?)", (state.name, now)
                    ).lastrowid
                    or 0
                )
                _add_incidents(connection, notification_id, notification.incidents)

    def edited(self, notification: Notification, state: ChannelState, now: float, *, is_gone: bool = False) -> None:
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET edited_at = ?, message_id = iif(?, NULL, message_id) WHERE id = ?",
                (now, is_gone, notification.id),
            )
            save_channel(connection, state)
            for incident in notification.incidents:
                connection.execute(
                    "UPDATE incidents SET told_count = ? WHERE id = ? AND told_post = ?",
                    (incident.count, incident.id, notification.id),
                )

    def failed(self, notification: Notification, state: ChannelState, error: str, *, outcome_unknown: bool) -> None:
        """Note that a send failed. One whose outcome is known is made anew, of what is pending by then."""
        with self._outbox.transaction() as connection:
            save_channel(connection, state)
            connection.execute(
                "UPDATE incidents SET refusal = ? WHERE id IN (SELECT incident_id FROM tellings WHERE post_id = ?)",
                (error, notification.id),
            )
            if outcome_unknown or notification.possible_duplicate or notification.kind == "file":
                connection.execute(
                    "UPDATE posts SET begun_at = NULL, is_doubtful = ? WHERE id = ?",
                    (outcome_unknown or notification.possible_duplicate, notification.id),
                )
            else:
                connection.execute("DELETE FROM posts WHERE id = ?", (notification.id,))

    def drop(self, notification: Notification) -> None:
        """Delete a file that the channel rejects; the message that it belongs to was sent."""
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM posts WHERE id = ?", (notification.id,))

    def inhibited_count(self, incident: Incident) -> int:
        """How many reports were not sent since this incident caused them."""
        with self._outbox.transaction() as connection:
            row = connection.execute("SELECT sum(count) FROM incidents WHERE muted_by = ?", (incident.id,)).fetchone()
        return int(row[0] or 0)

    def enable_channels(self) -> None:
        """Use disabled channels again: their configuration may have been fixed before this start."""
        with self._outbox.transaction() as connection:
            connection.execute("UPDATE channels SET stopped = NULL")


def _mark_notified(connection: sqlite3.Connection, notification: Notification, incident: Incident, now: float) -> None:
    if notification.kind == "file":
        return
    if notification.kind == "end":
        connection.execute("UPDATE incidents SET end_told = 1 WHERE id = ?", (incident.id,))
        return
    connection.execute(
        "UPDATE incidents SET told_post = ?, told_at = ?, told_count = ?, end_told = ?, refusal = NULL WHERE id = ?",
        (notification.id, now, incident.count, incident.end_reason == "resolved", incident.id),
    )


def _add_incidents(connection: sqlite3.Connection, notification_id: int, incidents: Sequence[Incident]) -> None:
    connection.executemany(
        "INSERT INTO tellings (post_id, incident_id) VALUES (?, ?)", [(notification_id, each.id) for each in incidents]
    )


def read_notification(connection: sqlite3.Connection, row: sqlite3.Row) -> Notification:
    rows = connection.execute(
        "SELECT incidents.* FROM incidents JOIN tellings ON incident_id = incidents.id WHERE post_id = ? ORDER BY first_at",
        (row["id"],),
    ).fetchall()
    return Notification(
        kind=row["kind"],
        incidents=[Incident.from_row(each) for each in rows],
        id=row["id"],
        possible_duplicate=bool(row["is_doubtful"]),
        chat_id=row["chat_id"],
        message_id=row["message_id"],
        created_at=row["created_at"],
    )
