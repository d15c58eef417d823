"""The statements that read points. Each function takes the connection of its caller."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from telemetry.recent.point_tables import BUCKET_COLUMNS, SAMPLED
from telemetry.recent.points.results import Labels, SeriesPoints, SeriesTotal
from telemetry.recent.points.stored_series import Stored
from telemetry.recent.points.tiers import (
    FINEST,
    KEPT_SECONDS,
    WindowPart,
    round_down,
    round_up,
    segments,
    since_by_tier,
    tier_for_steps,
)

Row = tuple[float, ...]
VALUE: Final = "sum(value)"
AMOUNTS: Final = "sum(value), sum(sum)"
HISTOGRAMS: Final = f"{AMOUNTS}, {', '.join(f'sum({column})' for column in BUCKET_COLUMNS)}"
_STEP_END: Final = "(p.t + {step} - 1) / {step} * {step}"
_CHOSEN: Final = """
WITH RECURSIVE chosen (series, place) AS MATERIALIZED (SELECT CAST(key AS INTEGER), value FROM json_each(?)),
parts (tier, after, until) AS MATERIALIZED (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))
"""
_MANY: Final = """
SELECT {what} FROM parts
CROSS JOIN points p ON p.tier = parts.tier AND p.family = ? AND p.t > parts.after AND p.t <= parts.until
CROSS JOIN chosen USING (series) GROUP BY {groups}
"""
"""Reads all rows of the family in the window. Only column names of this module and whole numbers are put in."""
_FEW: Final = """
, times (tier, t, until) AS (
    SELECT tier, after + tier, until FROM parts WHERE after < until
    UNION ALL SELECT tier, t + tier, until FROM times WHERE t < until
)
SELECT {what} FROM times CROSS JOIN chosen
CROSS JOIN points p ON p.tier = times.tier AND p.family = ? AND p.t = times.t AND p.series = chosen.series
GROUP BY {groups}
"""
"""Looks each row up."""
_FEW_SHARE: Final = 20
"""One of so many series of a family is few."""


class Grid(NamedTuple):
    """The steps of a query over time, in rows of one tier, and how many seconds of each have samples."""

    tier: int
    step: int
    first: int
    times: tuple[int, ...]
    seconds: tuple[float, ...]


def newest_sample(connection: sqlite3.Connection) -> int | None:
    """The end of the newest interval with a sample, in Unix seconds."""
    query = "SELECT max(t) FROM points WHERE tier = ? AND family = ?"
    return _whole(connection.execute(query, (FINEST, SAMPLED)).fetchone()[0])


def begins(connection: sqlite3.Connection) -> dict[int, float]:
    """Since when each tier has all that there is. A tier of which nothing was removed yet has as much as the longer ones."""
    query = "SELECT min(t), max(t) FROM points WHERE tier = ? AND family = ?"
    found = {tier: connection.execute(query, (tier, SAMPLED)).fetchone() for tier in KEPT_SECONDS}
    return since_by_tier({tier: (first, last) for tier, (first, last) in found.items() if first is not None})


def _query(stored: Stored) -> str:
    return _CHOSEN + (_FEW if stored.number * _FEW_SHARE <= stored.total else _MANY)


def rows_of_window(
    connection: sqlite3.Connection, stored: Stored, since: float, until: float, columns: str
) -> list[Row]:
    """Sums over a window: the place of a group, and the columns."""
    newest = newest_sample(connection)
    if not stored.number or newest is None:
        return []
    is_open = newest <= until + FINEST
    parts = segments(since, until, begins(connection), is_open=is_open)
    query = _query(stored).format(what=f"place, {columns}", groups="place")
    return connection.execute(query, (stored.places, json.dumps(parts), stored.family)).fetchall()


def grid_of(connection: sqlite3.Connection, since: float, until: float, step: int) -> Grid:
    tier, step = tier_for_steps(since, step, begins(connection))
    first, end = round_down(since, step), round_up(until, step)
    times = tuple(range(first + step, end + 1, step))
    rows = connection.execute(
        f"SELECT {_STEP_END.format(step=step)}, sum(value) FROM points p "  # noqa: S608  # a whole number
        "WHERE tier = ? AND family = ? AND t > ? AND t <= ? GROUP BY 1",
        (tier, SAMPLED, first, end),
    )
    seconds = dict(rows.fetchall())
    return Grid(tier, step, first, times, tuple(seconds.get(at, 0) for at in times))


def rows_over_time(connection: sqlite3.Connection, stored: Stored, grid: Grid, columns: str) -> list[Row]:
    """Sums by step: the place of a group, the end of the step, and the columns."""
    if not stored.number or not grid.times:
        return []
    part = WindowPart(grid.tier, grid.first, grid.times[-1])
    query = _query(stored).format(what=f"place, {_STEP_END.format(step=grid.step)}, {columns}", groups="1, 2")
    return connection.execute(query, (stored.places, json.dumps([part]), stored.family)).fetchall()


def merged(rows: Iterable[Sequence[Any]], stored: Stored) -> list[SeriesTotal]:
    """One total for each set of labels. Histograms of different bounds, such as those of two versions, keep the common ones."""
    found: dict[tuple[str, ...], SeriesTotal] = {}
    for place, value, total, *columns in rows:
        buckets = tuple([count for count in columns if count is not None])
        bounds = stored.bounds(place) if buckets else ()
        new = SeriesTotal(stored.labels(place), value, total, buckets, bounds)
        key = stored.groups[place][:-1]
        known = found.get(key)
        found[key] = new if known is None else known.plus(new)
    return list(found.values())


def points_of(labels: Labels, grid: Grid, values: Mapping[int, float]) -> SeriesPoints:
    """0 where nothing was counted, None where nothing was sampled."""
    sampled = zip(grid.times, grid.seconds, strict=True)
    shown = tuple(values.get(at, 0.0 if seconds else None) for at, seconds in sampled)
    return SeriesPoints(labels, grid.times, shown, grid.step, tuple(each or grid.step for each in grid.seconds))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
