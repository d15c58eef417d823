"""The repository of notifications: which messages were sent, and which are to be sent.

A row of `posts` is one message. When a process dies during a send, its outcome is unknown: the message is sent again and
says that it may be a duplicate.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import Buttons, Notification
from telemetry.alerts.outbox.channel_state import ChannelState, read_channel, save_channel
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.leases import LeaseClaim


class NotificationRepository:
    """Notes sends and edits, before and after a channel is called."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def channel(self, name: str) -> ChannelState:
        with self._outbox.read() as connection:
            return read_channel(connection, name)

    def save_channel(self, state: ChannelState) -> None:
        with self._outbox.transaction() as connection:
            save_channel(connection, state)

    def start_send(
        self, notification: Notification, channel: str, now: float, claim: LeaseClaim
    ) -> Notification | None:
        """Note a send before it is tried: after a crash it is known that the message may have arrived.

        Returns the notification as it is to be sent, with its incidents as they are now. None if the lease has expired: the
        process was suspended meanwhile, and another one may have sent the same.
        """
        with self._outbox.transaction() as connection:
            if not claim.renew(connection, now):
                return None
            if not notification.id:
                notification = _insert(connection, notification, channel, now)
            connection.execute(
                "UPDATE posts SET begun_at = ?, channel = ?, is_doubtful = ? WHERE id = ?",
                (now, channel, notification.possible_duplicate, notification.id),
            )
            connection.execute(
                "UPDATE incidents SET attempts = attempts + 1 WHERE told_post IS NULL "
                "AND id IN (SELECT incident_id FROM tellings WHERE post_id = ?)",
                (notification.id,),
            )
            _count_send(connection, channel, now)
            return replace(notification, incidents=_incidents(connection, notification.id))

    def start_call(self, channel: str, now: float, claim: LeaseClaim) -> bool:
        """Note a call that sends no new message before it is tried. Returns whether this process still holds the lease."""
        with self._outbox.transaction() as connection:
            if not claim.renew(connection, now):
                return False
            _count_send(connection, channel, now)
            return True

    def mark_sent(self, notification: Notification, state: ChannelState, now: float, *, has_rest: bool) -> None:
        """Note that a channel accepted the message, and where that is now."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET sent_at = ?, begun_at = NULL, message_id = ?, chat_id = ?, bot_id = ?, buttons = ? WHERE id = ?",
                (
                    now,
                    notification.message_id,
                    notification.chat_id,
                    notification.bot_id,
                    notification.buttons,
                    notification.id,
                ),
            )
            save_channel(connection, state)
            for incident in notification.incidents:
                _mark_notified(connection, notification, incident, now)
            if has_rest:
                _insert(connection, Notification("file", notification.incidents), state.name, now)

    def mark_edited(
        self, notification: Notification, state: ChannelState, now: float, *, is_gone: bool = False
    ) -> None:
        """Note that an edit is done. A message that is gone is not edited again."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET edited_at = ?, message_id = iif(?, NULL, message_id), buttons = ?, "
                "changed_at = nullif(changed_at, ?) WHERE id = ?",
                (now, is_gone, notification.buttons, notification.changed_at, notification.id),
            )
            save_channel(connection, state)
            for incident in notification.incidents:
                connection.execute(
                    "UPDATE incidents SET told_count = ? WHERE id = ? AND told_post = ?",
                    (incident.count, incident.id, notification.id),
                )

    def mark_changed(self, incident_id: int, now: float) -> None:
        """Note that something changed which the messages with buttons about an incident are to show."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET changed_at = ? WHERE buttons > 0 AND id IN "
                "(SELECT post_id FROM tellings WHERE incident_id = ?)",
                (now, incident_id),
            )

    def mark_failed(
        self, notification: Notification, state: ChannelState, error: str, *, outcome_unknown: bool
    ) -> None:
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

    def delete(self, notification: Notification) -> None:
        """Delete a file that the channel rejects; the message that it belongs to was sent."""
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM posts WHERE id = ?", (notification.id,))

    def inhibited_count(self, incident: Incident) -> int:
        """How many reports were not sent since this incident caused them."""
        with self._outbox.read() as connection:
            row = connection.execute("SELECT sum(count) FROM incidents WHERE muted_by = ?", (incident.id,)).fetchone()
        return int(row[0] or 0)


def enable_channels(connection: sqlite3.Connection) -> None:
    """Use disabled channels again: their configuration may have been fixed before this start."""
    connection.execute("UPDATE channels SET stopped = NULL, paused_until = 0 WHERE stopped IS NOT NULL")


def _mark_notified(connection: sqlite3.Connection, notification: Notification, incident: Incident, now: float) -> None:
    if notification.kind == "file":
        return
    if notification.kind == "end":
        connection.execute("UPDATE incidents SET end_told = 1 WHERE id = ?", (incident.id,))
        return
    connection.execute(
        "UPDATE incidents SET told_post = ?, told_at = ?, told_count = ?, end_told = ?, refusal = NULL "
        "WHERE id = ? AND level = ?",  # if the level was raised meanwhile, that is still to be sent
        (notification.id, now, incident.count, incident.end_reason == "resolved", incident.id, str(incident.level)),
    )


def _insert(connection: sqlite3.Connection, notification: Notification, channel: str, now: float) -> Notification:
    inserted = connection.execute(
        "INSERT INTO posts (channel, kind, created_at) VALUES (?, ?, ?)", (channel, notification.kind, now)
    )
    notification_id = inserted.lastrowid or 0
    connection.executemany(
        "INSERT INTO tellings (post_id, incident_id) VALUES (?, ?)",
        [(notification_id, each.id) for each in notification.incidents],
    )
    return replace(notification, id=notification_id, created_at=now)


def _count_send(connection: sqlite3.Connection, channel: str, now: float) -> None:
    """For the rate limit."""
    connection.execute("INSERT INTO sends (channel, at) VALUES (?, ?)", (channel, now))


def read_notification(connection: sqlite3.Connection, row: sqlite3.Row) -> Notification:
    """Build a notification from a row of `posts`. A send that was started and has no outcome may have arrived."""
    return Notification(
        kind=row["kind"],
        incidents=_incidents(connection, row["id"]),
        id=row["id"],
        possible_duplicate=bool(row["is_doubtful"]) or row["begun_at"] is not None,
        chat_id=row["chat_id"],
        message_id=row["message_id"],
        bot_id=row["bot_id"],
        created_at=row["created_at"],
        buttons=Buttons(row["buttons"]) if row["buttons"] in set(Buttons) else Buttons.NONE,  # a damaged row
        changed_at=row["changed_at"],
    )


def _incidents(connection: sqlite3.Connection, notification_id: int) -> Sequence[Incident]:
    rows = connection.execute(
        "SELECT incidents.* FROM incidents JOIN tellings ON incident_id = incidents.id WHERE post_id = ? ORDER BY first_at",
        (notification_id,),
    ).fetchall()
    return [Incident.from_row(each) for each in rows]
