"""OutboxMaintenance: which of the alerts that wait are not to be told, which are over, and which rows nobody needs any more."""

import sqlite3
from typing import Final

from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER
from telemetry.semconv import DATABASE_COMPONENT

INHIBITION_WINDOW: Final = 60.0
"""Seconds before a state was noticed and after its end, in which it may be the cause of what fails."""
RETENTION: Final = 30 * 86_400.0
MAX_KEPT: Final = 10_000
UNSENT_EXPIRY: Final = 86_400.0
"""Seconds after which what is not even an error is not told any more."""


class OutboxMaintenance:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def settle(self, now: float) -> int:
        """Before anything is told. Returns how many were given up."""
        with self._outbox.transaction() as connection:
            _mute(connection)
            _unmute(connection)
            _end_muted(connection, now)
            _end_silenced(connection, now)
            _end_quiet(connection, now)
            return _give_up(connection, now)

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


def _mute(connection: sqlite3.Connection) -> None:
    """One cause, one alert: what the database's absence explains is not told beside that."""
    connection.execute(
        "UPDATE incidents SET muted_by = cause.id FROM incidents AS cause WHERE incidents.told_post IS NULL "
        "AND incidents.muted_by IS NULL AND incidents.follows = :state AND cause.state = :state "
        "AND cause.first_at - :around <= incidents.first_at "
        "AND (cause.ended_at IS NULL OR cause.ended_at + :around >= incidents.last_at)",
        {"state": DATABASE_COMPONENT, "around": INHIBITION_WINDOW},
    )


def _unmute(connection: sqlite3.Connection) -> None:
    """It goes on after its cause has gone: it was another one."""
    connection.execute(
        "UPDATE incidents SET muted_by = NULL WHERE muted_by IS NOT NULL AND ended_at IS NULL AND EXISTS ("
        "SELECT 1 FROM incidents AS cause WHERE cause.id = incidents.muted_by AND cause.ended_at + ? < incidents.last_at)",
        (INHIBITION_WINDOW,),
    )


def _end_muted(connection: sqlite3.Connection, now: float) -> None:
    """With its cause, and the while after it in which it might have gone on."""
    connection.execute(
        "UPDATE incidents SET ended_at = coalesce(ended_at, last_at), ended = 'muted' WHERE muted_by IS NOT NULL "
        "AND told_post IS NULL AND (ended_at IS NULL OR ended = 'resolved') AND EXISTS ("
        "SELECT 1 FROM incidents AS cause WHERE cause.id = incidents.muted_by AND cause.ended_at + 2 * ? < ?)",
        (INHIBITION_WINDOW, now),
    )


def _end_silenced(connection: sqlite3.Connection, now: float) -> None:
    """What came only during a silence is over with it; what still lasts, or comes again, is told then."""
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


def _end_quiet(connection: sqlite3.Connection, now: float) -> None:
    """Once it has been told, with all of its repeats."""
    connection.execute(
        "UPDATE incidents SET ended_at = last_at, ended = 'quiet' WHERE state = '' AND ended_at IS NULL "
        "AND last_at < ? AND told_post IS NOT NULL AND told_count >= count",
        (now - EXPIRE_AFTER,),
    )


def _give_up(connection: sqlite3.Connection, now: float) -> int:
    return connection.execute(
        "UPDATE incidents SET ended_at = ?, ended = 'given up' WHERE told_post IS NULL AND ended_at IS NULL "
        "AND state = '' AND level IN ('INFO', 'WARNING') AND last_at < ?",
        (now, now - UNSENT_EXPIRY),
    ).rowcount
