"""NotificationRepository: what was told and is to be told, as the outbox keeps it for whoever sends.

A post is one message. What became of an attempt that nobody noted the end of is not known: it is sent again, and says so.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from telemetry.alerts.incident import BRIEF, Incident
from telemetry.alerts.notification import Notification, PendingIncident
from telemetry.alerts.outbox.channel_state import ChannelState, read_channel, save_channel
from telemetry.alerts.outbox.file import Outbox

RENOTIFY_AFTER: Final = 4 * 3600.0
"""Seconds after which what is still there is told again."""
EDIT_INTERVAL: Final = 60.0
MAX_GROUP: Final = 500
"""Alerts that one message tells of."""


IS_SILENCED: Final = (
    "EXISTS (SELECT 1 FROM silences WHERE component IN (incidents.component, 'all') "
    "AND created_at <= :now AND until > :now)"
)
_IN_A_POST: Final = (
    "EXISTS (SELECT 1 FROM tellings JOIN posts ON posts.id = post_id "
    "WHERE incident_id = incidents.id AND posts.sent_at IS NULL AND posts.kind <> 'file')"
)
_WAITING: Final = f"""
SELECT {BRIEF}, CASE WHEN told_post IS NULL THEN 'alert' WHEN ended = 'resolved' THEN 'end' ELSE 'again' END AS why FROM incidents
WHERE muted_by IS NULL AND due_at <= :now AND NOT {IS_SILENCED} AND NOT {_IN_A_POST} AND (
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

    def waiting(self, now: float) -> list[PendingIncident]:
        with self._outbox.transaction() as connection:
            rows = connection.execute(_WAITING, {"now": now}).fetchall()
        return [PendingIncident(_incident(row), row["why"]) for row in rows]

    def told_lately(self, since: float) -> int:
        """How many different alerts were told since then."""
        with self._outbox.transaction() as connection:
            return int(connection.execute("SELECT count(*) FROM incidents WHERE told_at > ?", (since,)).fetchone()[0])

    def unsent(self, channel: str) -> Notification | None:
        """The oldest one whose attempt came to no end that is known, or a file that follows its message."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET is_doubtful = 1, begun_at = NULL WHERE sent_at IS NULL AND begun_at IS NOT NULL"
            )
            connection.execute("UPDATE posts SET channel = ? WHERE sent_at IS NULL", (channel,))
            row = connection.execute("SELECT * FROM posts WHERE sent_at IS NULL ORDER BY id LIMIT 1").fetchone()
            return None if row is None else _post(connection, row)

    def to_edit(self, channel: str, now: float) -> Notification | None:
        """The one that says too low a count for the longest."""
        with self._outbox.transaction() as connection:
            row = connection.execute(
                "SELECT posts.* FROM incidents JOIN posts ON posts.id = told_post AND told_post IS NOT NULL AND count > told_count "
                "WHERE channel = ? AND message_id IS NOT NULL AND coalesce(edited_at, sent_at) + ? <= ? "
                "ORDER BY coalesce(edited_at, sent_at) LIMIT 1",
                (channel, EDIT_INTERVAL, now),
            ).fetchone()
            return None if row is None else _post(connection, row)

    def begin(self, post: Notification, channel: str, now: float) -> Notification:
        """Noted before it is sent: after a crash it is known that it may have been."""
        with self._outbox.transaction() as connection:
            number = post.id
            if not number:
                number = (
                    connection.execute(
                        "INSERT INTO posts (channel, kind, created_at) VALUES (?, ?, ?)", (channel, post.kind, now)
                    ).lastrowid
                    or 0
                )
                _tell(connection, number, post.incidents)
            connection.execute("UPDATE posts SET begun_at = ? WHERE id = ?", (now, number))
            connection.execute(
                "UPDATE incidents SET attempts = attempts + 1 WHERE told_post IS NULL "
                "AND id IN (SELECT incident_id FROM tellings WHERE post_id = ?)",
                (number,),
            )
            connection.execute("INSERT INTO sends (channel, at) VALUES (?, ?)", (channel, now))
            row = connection.execute("SELECT * FROM posts WHERE id = ?", (number,)).fetchone()
            return _post(connection, row)

    def begin_edit(self, channel: str, now: float) -> None:
        with self._outbox.transaction() as connection:
            connection.execute("INSERT INTO sends (channel, at) VALUES (?, ?)", (channel, now))

    def sent(
        self, post: Notification, state: ChannelState, now: float, message_id: int | None, *, has_rest: bool
    ) -> None:
        """What it told is told."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET sent_at = ?, begun_at = NULL, message_id = ?, chat_id = ? WHERE id = ?",
                (now, message_id, state.chat_id, post.id),
            )
            save_channel(connection, state)
            for incident in post.incidents:
                _note_told(connection, post, incident, now)
            if has_rest:
                number = (
                    connection.execute(
                        "INSERT INTO posts (channel, kind, created_at) VALUES (?, 'file', ?)", (state.name, now)
                    ).lastrowid
                    or 0
                )
                _tell(connection, number, post.incidents)

    def edited(self, post: Notification, state: ChannelState, now: float, *, is_gone: bool = False) -> None:
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE posts SET edited_at = ?, message_id = iif(?, NULL, message_id) WHERE id = ?",
                (now, is_gone, post.id),
            )
            save_channel(connection, state)
            for incident in post.incidents:
                connection.execute(
                    "UPDATE incidents SET told_count = ? WHERE id = ? AND told_post = ?",
                    (incident.count, incident.id, post.id),
                )

    def failed(self, post: Notification, state: ChannelState, error: str, *, is_doubtful: bool) -> None:
        """It was not accepted, or that is not known. One that was not is made anew, of what there is to tell by then."""
        with self._outbox.transaction() as connection:
            save_channel(connection, state)
            connection.execute(
                "UPDATE incidents SET refusal = ? WHERE id IN (SELECT incident_id FROM tellings WHERE post_id = ?)",
                (error, post.id),
            )
            if is_doubtful or post.is_doubtful or post.kind == "file":
                connection.execute(
                    "UPDATE posts SET begun_at = NULL, is_doubtful = ? WHERE id = ?",
                    (is_doubtful or post.is_doubtful, post.id),
                )
            else:
                connection.execute("DELETE FROM posts WHERE id = ?", (post.id,))

    def drop(self, post: Notification) -> None:
        """A file that nobody takes: what it adds to has been told."""
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM posts WHERE id = ?", (post.id,))

    def muted(self, incident: Incident) -> int:
        """How many failures were not told since they followed from it."""
        with self._outbox.transaction() as connection:
            row = connection.execute("SELECT sum(count) FROM incidents WHERE muted_by = ?", (incident.id,)).fetchone()
        return int(row[0] or 0)

    def start_channels(self) -> None:
        """What stopped one may have been put right by whoever started us."""
        with self._outbox.transaction() as connection:
            connection.execute("UPDATE channels SET stopped = NULL")


def _note_told(connection: sqlite3.Connection, post: Notification, incident: Incident, now: float) -> None:
    if post.kind == "file":
        return
    if post.kind == "end":
        connection.execute("UPDATE incidents SET end_told = 1 WHERE id = ?", (incident.id,))
        return
    connection.execute(
        "UPDATE incidents SET told_post = ?, told_at = ?, told_count = ?, end_told = ?, refusal = NULL WHERE id = ?",
        (post.id, now, incident.count, incident.ended == "resolved", incident.id),
    )


def _tell(connection: sqlite3.Connection, post: int, incidents: Sequence[Incident]) -> None:
    connection.executemany(
        "INSERT INTO tellings (post_id, incident_id) VALUES (?, ?)", [(post, each.id) for each in incidents]
    )


def _post(connection: sqlite3.Connection, row: sqlite3.Row) -> Notification:
    told = connection.execute(
        "SELECT incidents.* FROM incidents JOIN tellings ON incident_id = incidents.id WHERE post_id = ? ORDER BY first_at",
        (row["id"],),
    ).fetchall()
    return Notification(
        kind=row["kind"],
        incidents=[Incident.from_row(each) for each in told],
        id=row["id"],
        is_doubtful=bool(row["is_doubtful"]),
        chat_id=row["chat_id"],
        message_id=row["message_id"],
        created_at=row["created_at"],
    )


def _incident(row: sqlite3.Row) -> Incident:
    return Incident.from_row({name: value for name, value in dict(row).items() if name != "why"})
