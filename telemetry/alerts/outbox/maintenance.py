"""Maintenance of the outbox: inhibition, the ends of silences, expiry, and pruning of old rows."""

import sqlite3
from typing import Final, NamedTuple

from telemetry.alerts.outbox import clock_set_back
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER
from telemetry.semconv import DATABASE_COMPONENT

INHIBITION_WINDOW: Final = 60.0
"""Seconds before a condition fires and after its end in which it inhibits the alerts that it may have caused."""
RETENTION: Final = 30 * 86_400.0
MAX_KEPT: Final = 10_000
"""Incidents that are kept, besides open ones, for at most `RETENTION` seconds."""
UNSENT_EXPIRY: Final = 86_400.0
"""Seconds after which an unsent alert below ERROR expires."""


class _Transition(NamedTuple):
    """A change of the incidents for which `where` holds."""

    where: str
    assignments: str


_CAUSE: Final = (
    "FROM incidents AS cause WHERE cause.state = :database AND cause.first_at - :window <= incidents.first_at "
    "AND (cause.ended_at IS NULL OR cause.ended_at + :window >= incidents.last_at)"
)
_INHIBITOR: Final = "EXISTS (SELECT 1 FROM incidents AS cause WHERE cause.id = incidents.muted_by AND"
_SILENCE: Final = "EXISTS (SELECT 1 FROM silences WHERE component IN (incidents.component, 'all') AND"
# An alert that the database outage may have caused is not sent beside the alert about the outage.
_INHIBIT: Final = _Transition(
    f"told_post IS NULL AND muted_by IS NULL AND follows = :database AND EXISTS (SELECT 1 {_CAUSE})",  # the constant above
    f"muted_by = (SELECT cause.id {_CAUSE} LIMIT 1)",  # likewise
)
# An alert that goes on after its inhibitor has ended had another cause.
_UNINHIBIT: Final = _Transition(
    f"muted_by IS NOT NULL AND ended_at IS NULL AND {_INHIBITOR} cause.ended_at + :window < incidents.last_at)",
    "muted_by = NULL",
)
# An inhibited alert ends with its inhibitor, once the window after that is over.
_END_INHIBITED: Final = _Transition(
    "muted_by IS NOT NULL AND told_post IS NULL AND (ended_at IS NULL OR ended = 'resolved') "
    f"AND {_INHIBITOR} cause.ended_at + 2 * :window < :now)",
    "ended_at = coalesce(ended_at, last_at), ended = 'muted'",
)
# An alert that was reported only during a silence ends with it; one that goes on is sent.
_END_SILENCED: Final = _Transition(
    f"told_post IS NULL AND ended_at IS NULL AND state = '' AND {_SILENCE} until <= :now "
    "AND created_at <= incidents.first_at AND until >= incidents.last_at)",
    "ended_at = last_at, ended = 'silenced'",
)
# Neither is a condition sent that began and ended during a silence.
_END_SILENCED_CONDITION: Final = _Transition(
    f"ended = 'resolved' AND told_post IS NULL AND (end_told OR {_SILENCE} created_at <= incidents.first_at "
    "AND until >= incidents.ended_at))",
    "end_told = 1, ended = 'silenced'",
)
# An alert that was sent with all of its repeats expires when no more come; of a message that is gone no edit tells of them.
_EXPIRE_SENT: Final = _Transition(
    "state = '' AND ended_at IS NULL AND last_at < :now - :expire_after AND told_post IS NOT NULL "
    "AND (told_count >= count OR NOT EXISTS (SELECT 1 FROM posts WHERE id = told_post AND message_id IS NOT NULL))",
    "ended_at = last_at, ended = 'quiet'",
)
_EXPIRE_UNSENT: Final = _Transition(
    "told_post IS NULL AND ended_at IS NULL AND state = '' AND level IN ('INFO', 'WARNING') "
    "AND last_at < :now - :unsent_expiry",
    "ended_at = :now, ended = 'given up'",
)
# The last one is kept: it tells when a pause of the channel was set.
_DELETE_SENDS: Final = (
    "DELETE FROM sends WHERE at < ? AND EXISTS (SELECT 1 FROM sends AS later "
    "WHERE later.channel = sends.channel AND later.at > sends.at)"
)
_TRANSITIONS: Final = (
    _INHIBIT,
    _UNINHIBIT,
    _END_INHIBITED,
    _END_SILENCED,
    _END_SILENCED_CONDITION,
    _EXPIRE_SENT,
    _EXPIRE_UNSENT,
)


def is_maintenance_due(connection: sqlite3.Connection, now: float) -> bool:
    """Whether `maintain` would change anything."""
    if clock_set_back.is_repair_due(connection, now):
        return True
    exist = " OR ".join(f"EXISTS (SELECT 1 FROM incidents WHERE {each.where})" for each in _TRANSITIONS)  # noqa: S608  # the constants above
    return bool(connection.execute(f"SELECT {exist}", _parameters(now)).fetchone()[0])


def maintain(connection: sqlite3.Connection, now: float) -> int:
    """Update the incidents before anything is sent. Returns how many expired without being sent."""
    clock_set_back.repair(connection, now)
    changed = 0
    for each in _TRANSITIONS:
        statement = f"UPDATE incidents SET {each.assignments} WHERE {each.where}"  # noqa: S608  # the constants above
        changed = connection.execute(statement, _parameters(now)).rowcount
    return changed


def prune(connection: sqlite3.Connection, now: float) -> None:
    """Delete old rows."""
    newest = connection.execute("SELECT max(id) FROM incidents").fetchone()[0] or 0
    connection.execute(
        "DELETE FROM incidents WHERE ended_at IS NOT NULL AND (ended_at < ? OR id <= ?) "
        "AND NOT (ended = 'resolved' AND told_post IS NOT NULL AND NOT end_told) "
        "AND (told_post IS NOT NULL OR ended IN ('muted', 'silenced', 'given up'))",
        (now - RETENTION, newest - MAX_KEPT),
    )
    connection.execute("DELETE FROM posts WHERE sent_at IS NOT NULL AND id NOT IN (SELECT post_id FROM tellings)")
    connection.execute(_DELETE_SENDS, (now - 120,))
    connection.execute("DELETE FROM silences WHERE until < ?", (now - RETENTION,))


def _parameters(now: float) -> dict[str, object]:
    return {
        "now": now,
        "database": DATABASE_COMPONENT,
        "window": INHIBITION_WINDOW,
        "expire_after": EXPIRE_AFTER,
        "unsent_expiry": UNSENT_EXPIRY,
    }
