"""Maintenance of the outbox: inhibition, the ends of silences, expiry, and pruning of old rows."""

import sqlite3
from typing import Final

from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER
from telemetry.semconv import DATABASE_COMPONENT

INHIBITION_WINDOW: Final = 60.0
"""Seconds before a condition fires and after its end in which it inhibits the alerts that it may have caused."""
RETENTION: Final = 30 * 86_400.0
MAX_KEPT: Final = 10_000
"""Incidents that are kept, besides open ones, for at most `RETENTION` seconds."""
UNSENT_EXPIRY: Final = 86_400.0
"""Seconds after which an unsent alert below ERROR expires."""


class OutboxMaintenance:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def update(self, now: float) -> int:
        """Update the incidents before anything is sent. Returns how many expired without being sent."""
        with self._outbox.transaction() as connection:
            _inhibit(connection)
            _uninhibit(connection)
            _end_inhibited(connection, now)
            _end_silenced(connection, now)
            _expire_sent(connection, now)
            return _expire_unsent(connection, now)

    def checkpoint(self) -> None:
        self._outbox.checkpoint()

    def prune(self, now: float) -> None:
        with self._outbox.transaction() as connection:
            newest = connection.execute("SELECT max(id) FROM incidents").fetchone()[0] or 0
            connection.execute(
                "DELETE FROM incidents WHERE ended_at IS NOT NULL AND (ended_at < ? OR id <= ?) "
                "AND NOT (ended = 'resolved' AND told_post IS NOT NULL AND NOT end_told) "
                "AND (told_post IS NOT NULL OR ended IN ('muted', 'silenced', 'given up'))",
                (now - RETENTION, newest - MAX_KEPT),
            )
            connection.execute(
                "DELETE FROM posts WHERE sent_at IS NOT NULL AND id NOT IN (SELECT post_id FROM tellings)"
            )
            connection.execute("DELETE FROM sends WHERE at < ?", (now - 120,))
            connection.execute("DELETE FROM silences WHERE until < ?", (now - RETENTION,))


def _inhibit(connection: sqlite3.Connection) -> None:
    """An alert that the database outage may have caused is not sent beside the alert about the outage."""
    connection.execute(
        "UPDATE incidents SET muted_by = cause.id FROM incidents AS cause WHERE incidents.told_post IS NULL "
        "AND incidents.muted_by IS NULL AND incidents.follows = :state AND cause.state = :state "
        "AND cause.first_at - :window <= incidents.first_at "
        "AND (cause.ended_at IS NULL OR cause.ended_at + :window >= incidents.last_at)",
        {"state": DATABASE_COMPONENT, "window": INHIBITION_WINDOW},
    )


def _uninhibit(connection: sqlite3.Connection) -> None:
    """An alert that goes on after its inhibitor has ended had another cause."""
    connection.execute(
        "UPDATE incidents SET muted_by = NULL WHERE muted_by IS NOT NULL AND ended_at IS NULL AND EXISTS ("
        "SELECT 1 FROM incidents AS cause WHERE cause.id = incidents.muted_by AND cause.ended_at + ? < incidents.last_at)",
        (INHIBITION_WINDOW,),
    )


def _end_inhibited(connection: sqlite3.Connection, now: float) -> None:
    """An inhibited alert ends with its inhibitor, once the window after that is over."""
    connection.execute(
        "UPDATE incidents SET ended_at = coalesce(ended_at, last_at), ended = 'muted' WHERE muted_by IS NOT NULL "
        "AND told_post IS NULL AND (ended_at IS NULL OR ended = 'resolved') AND EXISTS ("
        "SELECT 1 FROM incidents AS cause WHERE cause.id = incidents.muted_by AND cause.ended_at + 2 * ? < ?)",
        (INHIBITION_WINDOW, now),
    )


def _end_silenced(connection: sqlite3.Connection, now: float) -> None:
    """An alert that was reported only during a silence ends with it; one that goes on is sent."""
    connection.execute(
        "UPDATE incidents SET ended_at = last_at, ended = 'silenced' "
        "WHERE told_post IS NULL AND ended_at IS NULL AND state = '' AND EXISTS ("
        "SELECT 1 FROM silences WHERE component IN (incidents.component, 'all') AND until <= ? "
        "AND created_at <= incidents.first_at AND until >= incidents.last_at)",
        (now,),
    )
    connection.execute(
        "UPDATE incidents SET end_told = 1 WHERE ended = 'resolved' AND told_post IS NULL AND NOT end_told AND EXISTS ("
        "SELECT 1 FROM silences WHERE component IN (incidents.component, 'all') "
        "AND created_at <= incidents.first_at AND until >= incidents.ended_at)"
    )
    connection.execute(
        "UPDATE incidents SET ended = 'silenced' WHERE ended = 'resolved' AND told_post IS NULL AND end_told"
    )


def _expire_sent(connection: sqlite3.Connection, now: float) -> None:
    """An alert that was sent with all of its repeats expires when no more come."""
    connection.execute(
        "UPDATE incidents SET ended_at = last_at, ended = 'quiet' WHERE state = '' AND ended_at IS NULL "
        "AND last_at < ? AND told_post IS NOT NULL AND told_count >= count",
        (now - EXPIRE_AFTER,),
    )


def _expire_unsent(connection: sqlite3.Connection, now: float) -> int:
    return connection.execute(
        "UPDATE incidents SET ended_at = ?, ended = 'given up' WHERE told_post IS NULL AND ended_at IS NULL "
        "AND state = '' AND level IN ('INFO', 'WARNING') AND last_at < ?",
        (now, now - UNSENT_EXPIRY),
    ).rowcount
