"""Keeps the points within their age and their share of the disk: the oldest intervals go first."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Final

from telemetry.recent.points.tiers import DAY, FINEST, HOUR, KEPT_SECONDS, MINUTE

MAX_BYTES: Final = 64 * 1024 * 1024
ROW_BYTES: Final = 64
"""What a row of a histogram takes on the disk, at most."""
_SHARES: Final[Mapping[int, float]] = {
    FINEST: 0.36,
    MINUTE: 0.14,
    5 * MINUTE: 0.30,
    30 * MINUTE: 0.12,
    3 * HOUR: 0.05,
    DAY: 0.03,
}
"""Of the bytes, by tier."""
_SLACK: Final = 0.9
"""So much of its share a tier has afterwards, so that rows are removed in larger numbers and more rarely."""
_FUTURE_SECONDS: Final = 2 * DAY
"""Later intervals are those of a clock that was set back since."""


def prune(connection: sqlite3.Connection, now: float, max_bytes: int = MAX_BYTES) -> None:
    """Remove what is too old or too much, and the series and groups that have nothing left.

    Args:
        connection: in a transaction.
        now: Unix seconds.
        max_bytes: of all points.
    """
    for tier, seconds in KEPT_SECONDS.items():
        _remove(connection, tier, now - seconds, now + _FUTURE_SECONDS)
        most = int(max_bytes * _SHARES[tier] / ROW_BYTES)
        if (end := _end_of_excess(connection, tier, most)) is not None:
            _remove(connection, tier, end, now + _FUTURE_SECONDS)
    _forget_groups(connection, now)
    connection.execute(
        "DELETE FROM series WHERE id NOT IN (SELECT series FROM points WHERE tier = ?) "
        "AND id NOT IN (SELECT series FROM totals)",
        (DAY,),
    )


def _remove(connection: sqlite3.Connection, tier: int, until: float, future: float) -> None:
    """Remove the intervals that end until a time, or in a future that is none any more."""
    for (family,) in connection.execute("SELECT id FROM families").fetchall():
        where = "tier = ? AND family = ?", (tier, family)
        connection.execute(f"DELETE FROM points WHERE {where[0]} AND t <= ?", (*where[1], until))  # noqa: S608  # constant
        connection.execute(f"DELETE FROM points WHERE {where[0]} AND t > ?", (*where[1], future))  # noqa: S608  # constant


def _end_of_excess(connection: sqlite3.Connection, tier: int, most: int) -> int | None:
    """Until when intervals have to go, so that so many rows are left; None if there are no more than those."""
    (number,) = connection.execute("SELECT count(*) FROM points WHERE tier = ?", (tier,)).fetchone()
    if number <= most:
        return None
    excess = number - int(most * _SLACK)
    for t, rows in connection.execute("SELECT t, count(*) FROM points WHERE tier = ? GROUP BY t ORDER BY t", (tier,)):
        excess -= rows
        if excess <= 0:
            return int(t)
    return None


def _forget_groups(connection: sqlite3.Connection, now: float) -> None:
    """Forget groups of which no process has sampled for a day. A family is never forgotten: there are few."""
    old = [source for source, t in connection.execute("SELECT source, t FROM samplers") if abs(now - t) > DAY]
    for table in ("totals", "samplers"):
        connection.execute(
            f"DELETE FROM {table} WHERE source IN (SELECT value FROM json_each(?))",  # noqa: S608  # two names
            (json.dumps(old),),
        )
