"""The repository of incidents: adds alerts, counts their repeats, and ends conditions."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.incident import Incident
from telemetry.alerts.outbox.file import Outbox
from telemetry.environment.runbook import RunbookSection
from telemetry.json_safe import without_surrogates
from telemetry.semconv import DATABASE_COMPONENT

EXPIRE_AFTER: Final = 4 * 3600.0
"""Seconds without a repeat after which an alert has expired; the next report is a new alert."""
INHIBITION_DELAY: Final = 30.0
"""Seconds for which an alert is held back for the condition that may inhibit it."""
MAX_PENDING: Final = 1000
"""Different alerts that may be pending; more are counted in one overflow alert."""
OVERFLOW: Final = Alert(
    fingerprint="overflow",
    level=AlertLevel.ERROR,
    component="alerts",
    summary=f"More than {MAX_PENDING:,} different alerts wait. Others are only counted here.",
    at=0.0,
    section=RunbookSection.OUTBOX_FULL,
)
_COLUMNS: Final = (
    "fingerprint, state, level, component, words, error, place, stack, facts, follows, trace_id, span_id, is_sampled, "
    "first_at, last_at, count, due_at, section"
)
# A condition keeps its newest summary, which says how it is now; an error keeps its first.
_ADD: Final = f"""
INSERT INTO incidents ({_COLUMNS}) VALUES ({", ".join("?" * 18)})
ON CONFLICT (fingerprint) WHERE ended_at IS NULL DO UPDATE SET
    count = count + excluded.count, last_at = max(last_at, excluded.last_at),
    words = iif(state = '', words, excluded.words), facts = iif(state = '', facts, excluded.facts),
    section = iif(state = '' OR excluded.section = '', section, excluded.section)
"""  # noqa: S608  # the columns above
_RAISE: Final = """
UPDATE incidents SET level = ?, words = ?, error = ?, place = ?, stack = ?, facts = ?, follows = ?, section = ?, due_at = ?,
    told_post = NULL, muted_by = NULL, attempts = 0
WHERE fingerprint = ? AND ended_at IS NULL
"""


class IncidentRepository:
    """What processes report."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def add(self, alert: Alert, count: int = 1) -> None:
        """Write an alert; a repeat of an open incident is counted with it. It is on the disk when this returns.

        Raises:
            sqlite3.Error, OSError: the outbox did not accept it.
        """
        with self._outbox.transaction() as connection:
            if alert.is_resolved:
                _end(connection, alert)
                return
            if _is_full(connection, alert.fingerprint):
                alert = replace(OVERFLOW, at=alert.at)
            _raise_level(connection, alert)
            connection.execute(_ADD, _values(alert, count))

    def add_notified(self, alert: Alert, channel: str) -> None:
        """Write a condition, or its end, of which a message was sent without the outbox: it is not sent again, its end is.

        Raises:
            sqlite3.Error, OSError: the outbox did not accept it.
        """
        with self._outbox.transaction() as connection:
            if not alert.is_resolved:
                connection.execute(_ADD, _values(alert, 1))
            row = connection.execute(
                "SELECT id FROM incidents WHERE fingerprint = ? AND ended_at IS NULL", (alert.fingerprint,)
            ).fetchone()
            if row is None:
                return
            if alert.is_resolved:
                _end(connection, alert)
                connection.execute("UPDATE incidents SET end_told = 1 WHERE id = ?", (row["id"],))
            else:
                _mark_notified(connection, row["id"], alert, channel)

    def add_repeats(self, repeats: Mapping[str, tuple[int, float]]) -> list[str]:
        """Count repeats of open incidents.

        Args:
            repeats: for each fingerprint, how many there were, and when the last one was.

        Returns:
            The fingerprints that have no open incident any more; nothing was counted for them.
        """
        with self._outbox.transaction() as connection:
            return [
                fingerprint
                for fingerprint, (count, last_at) in repeats.items()
                if not connection.execute(
                    "UPDATE incidents SET count = count + ?, last_at = max(last_at, ?) "
                    "WHERE fingerprint = ? AND ended_at IS NULL",
                    (count, last_at, fingerprint),
                ).rowcount
            ]

    def open_conditions(self, prefix: str = "") -> dict[str, Incident]:
        """The conditions that are firing, by their keys."""
        with self._outbox.read() as connection:
            rows = connection.execute("SELECT * FROM incidents WHERE state <> '' AND ended_at IS NULL").fetchall()
        found = (Incident.from_row(row) for row in rows)
        return {each.state: each for each in found if each.state.startswith(prefix)}

    def leave_to_other(self, condition: str, now: float) -> None:
        """End a condition of which no message was sent, since another machine has told of it and tells of its end."""
        with self._outbox.transaction() as connection:
            connection.execute(
                "UPDATE incidents SET ended_at = max(?, first_at), ended = 'muted' "
                "WHERE state = ? AND ended_at IS NULL AND told_post IS NULL",
                (now, condition),
            )

    def periods(self, condition: str, since: float) -> list[tuple[float, float | None]]:
        """When a condition began and ended; None while it is firing."""
        with self._outbox.read() as connection:
            rows = connection.execute(
                "SELECT first_at, ended_at FROM incidents WHERE state = ? AND coalesce(ended_at, ?) >= ?",
                (condition, since, since),
            ).fetchall()
        return [(row["first_at"], row["ended_at"]) for row in rows]


def _raise_level(connection: sqlite3.Connection, alert: Alert) -> None:
    """An open incident of a lower level becomes this alert, and is sent again."""
    row = connection.execute(
        "SELECT level FROM incidents WHERE fingerprint = ? AND ended_at IS NULL", (alert.fingerprint,)
    ).fetchone()
    if row is None or AlertLevel(row["level"]).severity >= alert.level.severity:
        return
    texts = map(without_surrogates, (alert.summary, alert.error, alert.location, alert.stack))
    connection.execute(
        _RAISE,
        (
            str(alert.level),
            *texts,
            json.dumps(dict(alert.facts)),
            alert.inhibited_by,
            alert.section,
            _due_at(alert),
            alert.fingerprint,
        ),
    )


def _mark_notified(connection: sqlite3.Connection, incident_id: int, alert: Alert, channel: str) -> None:
    post = connection.execute(
        "INSERT INTO posts (channel, kind, created_at, sent_at) VALUES (?, 'alert', ?, ?)",
        (channel, alert.at, alert.at),
    )
    connection.execute("INSERT INTO tellings (post_id, incident_id) VALUES (?, ?)", (post.lastrowid, incident_id))
    connection.execute(
        "UPDATE incidents SET told_post = ?, told_at = ?, told_count = count WHERE id = ?",
        (post.lastrowid, alert.at, incident_id),
    )


def _end(connection: sqlite3.Connection, alert: Alert) -> None:
    connection.execute(
        "UPDATE incidents SET ended_at = max(?, first_at), ended = 'resolved', resolution = ? "
        "WHERE fingerprint = ? AND ended_at IS NULL",
        (alert.at, without_surrogates(alert.summary), alert.fingerprint),
    )


def _is_full(connection: sqlite3.Connection, fingerprint: str) -> bool:
    is_open = connection.execute(
        "SELECT 1 FROM incidents WHERE fingerprint = ? AND ended_at IS NULL", (fingerprint,)
    ).fetchone()
    if is_open:
        return False
    pending = connection.execute("SELECT count(*) FROM incidents WHERE told_post IS NULL AND ended_at IS NULL")
    return int(pending.fetchone()[0]) >= MAX_PENDING


def _values(alert: Alert, count: int) -> tuple[object, ...]:
    return (
        alert.fingerprint,
        alert.state,
        str(alert.level),
        without_surrogates(alert.component),
        without_surrogates(alert.summary),
        without_surrogates(alert.error),
        without_surrogates(alert.location),
        without_surrogates(alert.stack),
        json.dumps(dict(alert.facts)),
        alert.inhibited_by,
        alert.trace_id,
        alert.span_id,
        alert.is_sampled,
        alert.at,
        alert.at,
        count,
        _due_at(alert),
        without_surrogates(alert.section),
    )


def _due_at(alert: Alert) -> float:
    return alert.at + INHIBITION_DELAY if alert.inhibited_by == DATABASE_COMPONENT else alert.at
