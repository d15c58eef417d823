"""Adds to the points, and keeps the last sample of a group of processes, within the transaction of a caller."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from telemetry.recent import point_tables as tables
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.deltas import LastSample
from telemetry.recent.points.tiers import FINEST, KEPT_SECONDS, round_up
from telemetry.recent.recent_file import sound, stored_json

_AMOUNT_TYPES: Final = (float | int | None,) * (2 + tables.MAX_BUCKETS)


def add_points(connection: sqlite3.Connection, added: Mapping[SeriesKey, Amount], t: int, parts: int = 1) -> None:
    """Add what was counted in the intervals that end with the one at `t`.

    Args:
        connection: in a transaction.
        added: what was counted.
        t: the end of the last interval, a multiple of `FINEST`.
        parts: over so many of the finest intervals it is spread evenly.
    """
    spread = {key: amount.spread(parts) for key, amount in added.items()}
    for part in range(parts):
        end = t - (parts - 1 - part) * FINEST
        stage(connection, {key: amounts[part] for key, amounts in spread.items()})
        for tier in KEPT_SECONDS:
            _add_staged(connection, tier, round_up(end, tier))
        _mark(connection, end)


def _add_staged(connection: sqlite3.Connection, tier: int, t: int) -> None:
    """Add what is staged to the rows of an interval, and the number of new rows to that of all."""
    (before,) = connection.execute(tables.COUNT_STAGED, (tier, t)).fetchone()
    connection.execute(tables.ADD_STAGED, (tier, t))
    (now,) = connection.execute(tables.COUNT_STAGED, (tier, t)).fetchone()
    connection.execute(tables.ADD_ROWS, (now - before,))


def _mark(connection: sqlite3.Connection, end: int) -> None:
    """Note that there is a sample of an interval, once, however many processes take one."""
    if connection.execute(tables.MARK_SAMPLED, (FINEST, end, FINEST)).rowcount > 0:
        rows = 1
        for tier in [each for each in KEPT_SECONDS if each != FINEST]:
            rows += connection.execute(tables.MARK_SAMPLED, (tier, round_up(end, tier), 0)).rowcount
            connection.execute(tables.ADD_SAMPLED, (FINEST, tier, round_up(end, tier)))
        connection.execute(tables.ADD_ROWS, (rows,))


def stage(connection: sqlite3.Connection, amounts: Mapping[SeriesKey, Amount]) -> None:
    """Put amounts, by the ids of their series, into the table that statements add from."""
    connection.execute(tables.ADDED_TABLE)
    connection.execute("DELETE FROM temp.added")
    families = _families(connection, {key.family for key in amounts})
    series = [(families[key.family], key.labels, key.bounds) for key in amounts]
    if connection.executemany(tables.ADD_SERIES, series).rowcount > 0:
        connection.execute(tables.CHANGE_VERSION)
    rows = [(*each, each[0], *_columns(amount)) for each, amount in zip(series, amounts.values(), strict=True)]
    connection.executemany(tables.STAGE, rows)


def _families(connection: sqlite3.Connection, names: Iterable[str]) -> dict[str, int]:
    connection.executemany(tables.ADD_FAMILY, [(name,) for name in names])
    return dict(connection.execute("SELECT name, id FROM families").fetchall())


def _columns(amount: Amount) -> tuple[float | None, ...]:
    return (amount.value, amount.sum, *amount.buckets, *(None,) * (tables.MAX_BUCKETS - len(amount.buckets)))


def amount_of(columns: Iterable[float | None]) -> Amount:
    """An amount from its columns in a table."""
    value, total, *buckets = columns = tuple(columns)
    sound(columns, _AMOUNT_TYPES)
    return Amount(value or 0, total or 0, tuple(int(count) for count in buckets if count is not None))


def read_last_sample(connection: sqlite3.Connection, source: str) -> LastSample | None:
    """The last sample of a group; None if there is none."""
    found = connection.execute("SELECT number, workers, taken, t FROM samplers WHERE source = ?", (source,)).fetchone()
    if found is None:
        return None
    number, workers, taken, t = sound(found, (int, str, float, int))
    totals = {SeriesKey(*row[:3]): amount_of(row[3:]) for row in connection.execute(tables.TOTALS_OF, (source,))}
    return LastSample(number, frozenset(stored_json(workers)), taken, t, totals)


def last_number(connection: sqlite3.Connection, source: str) -> int | None:
    found = connection.execute("SELECT number FROM samplers WHERE source = ?", (source,)).fetchone()
    return None if found is None else int(sound(found, (int,))[0])


def last_taken(connection: sqlite3.Connection, source: str) -> float | None:
    """When the last sample of a group was taken, by the monotonic clock; None if there is none."""
    found = connection.execute("SELECT taken FROM samplers WHERE source = ?", (source,)).fetchone()
    return None if found is None else float(sound(found, (float,))[0])


def keep_last_sample(connection: sqlite3.Connection, source: str, last: LastSample, *, is_whole: bool) -> None:
    """Keep the last sample of a group.

    Args:
        connection: in a transaction.
        source: the group.
        last: its totals may be only those that have changed.
        is_whole: whether they are all totals, so that others are forgotten.
    """
    if is_whole:
        connection.execute("DELETE FROM totals WHERE source = ?", (source,))
    connection.execute(
        "INSERT OR REPLACE INTO samplers (source, number, workers, taken, t) VALUES (?, ?, ?, ?, ?)",
        (source, last.number, json.dumps(sorted(last.workers)), last.taken, last.t),
    )
    stage(connection, last.totals)
    connection.execute(tables.KEEP_STAGED_TOTALS, (source,))
