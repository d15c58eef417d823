"""Keeps the points within their age and their limit of bytes: the oldest intervals of all tiers go first.

Each transaction is short, since other processes wait for it.
"""

import json
import sqlite3
from typing import Final

from telemetry.recent import point_tables as tables
from telemetry.recent.database import RecentDatabase
from telemetry.recent.points.tiers import DAY, KEPT_SECONDS

MAX_BYTES: Final = 64 * 1024 * 1024
ROW_BYTES: Final = 72
"""What a row takes on the disk at most, its share of pages that are not full included."""
_PART: Final = 0.03
"""The share of its time that each tier loses at once while there are too many rows."""
_MAX_PARTS: Final = 100
_FUTURE_SECONDS: Final = 2 * DAY
"""Later intervals are those of a clock that was set back since."""


def prune(database: RecentDatabase, now: float, max_bytes: int = MAX_BYTES) -> None:
    """Remove what is too old, or too much.

    Args:
        database: with the points.
        now: Unix seconds.
        max_bytes: of all points.

    Raises:
        sqlite3.Error, OSError: the file cannot be written now.
    """
    for tier, seconds in KEPT_SECONDS.items():
        with database.writing() as connection:
            _remove(connection, tier, now - seconds, now + _FUTURE_SECONDS)
    for _ in range(_MAX_PARTS):
        if _rows(database) * ROW_BYTES <= max_bytes:
            return
        for tier in KEPT_SECONDS:
            with database.writing() as connection:
                if (end := _end_of_oldest_part(connection, tier)) is not None:
                    _remove(connection, tier, end, now + _FUTURE_SECONDS)


def _rows(database: RecentDatabase) -> int:
    with database.reading() as connection:
        return int(connection.execute("SELECT number_of_rows FROM point_state").fetchone()[0])


def _remove(connection: sqlite3.Connection, tier: int, until: float, future: float) -> None:
    """Remove the intervals that end until a time, or in a future that is none any more."""
    removed = 0
    for (family,) in connection.execute("SELECT id FROM families").fetchall():
        values = {"tier": tier, "family": family, "until": until, "future": future}
        removed += connection.execute(tables.REMOVE_OLD, values).rowcount
        removed += connection.execute(tables.REMOVE_FUTURE, values).rowcount
    connection.execute(tables.ADD_ROWS, (-removed,))


def _end_of_oldest_part(connection: sqlite3.Connection, tier: int) -> float | None:
    """Until when the oldest part of a tier goes; None if it has one interval, or none."""
    query = f"SELECT min(t), max(t) FROM points WHERE tier = ? AND family = {tables.SAMPLED}"  # noqa: S608  # a number
    first, last = connection.execute(query, (tier,)).fetchone()
    return None if first == last else max(first, first + (last - first) * _PART)


def forget_unused(database: RecentDatabase, now: float) -> None:
    """Forget the groups of which no process has sampled for a day, and the series that have nothing left.

    Raises:
        sqlite3.Error, OSError: the file cannot be written now.
    """
    with database.writing() as connection:
        sources = connection.execute("SELECT source, t FROM samplers").fetchall()
        old = json.dumps([source for source, t in sources if abs(now - t) > DAY])
        connection.execute("DELETE FROM totals WHERE source IN (SELECT value FROM json_each(?))", (old,))
        connection.execute("DELETE FROM samplers WHERE source IN (SELECT value FROM json_each(?))", (old,))
        if connection.execute(tables.REMOVE_SERIES, (DAY,)).rowcount > 0:
            connection.execute(tables.CHANGE_VERSION)
