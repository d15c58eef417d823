"""Keeps what is remembered of traces and logs within its limits: the oldest first, and failures longest.

Each reason for which traces are kept has a share of the bytes, and so have the log lines. What one of them does not need,
the others may use. When all is full, whoever has most beyond its share gives up its oldest.
"""

import sqlite3
from typing import Final

from telemetry.recent.recent_file import sound
from telemetry.recent.schema import FAILED, JOB, LOGS, SAMPLE, SLOW

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_SECONDS: Final = 7 * 86_400.0
_FILLING: Final = 0.62
"""The tables' pages are as full as that at least, so that so many bytes of rows take no more than the limit on the disk."""
_SHARES: Final = {FAILED: 0.35, JOB: 0.2, SLOW: 0.15, SAMPLE: 0.15, LOGS: 0.15}
_CHUNK: Final = 50
_AGED_CHUNK: Final = 2000
_FUTURE: Final = 3600.0  # a clock was set back: such rows would never be old
_REMOVE_TRACES: Final = """
DELETE FROM traces WHERE trace_id IN (SELECT trace_id FROM traces WHERE kept_as = ? ORDER BY started LIMIT ?)
"""
_REMOVE_LOGS: Final = "DELETE FROM logs WHERE id IN (SELECT id FROM logs ORDER BY at LIMIT ?)"
_AGED: Final = (
    "DELETE FROM traces WHERE trace_id IN (SELECT trace_id FROM traces WHERE started < ? OR started > ? LIMIT ?)",
    "DELETE FROM logs WHERE id IN (SELECT id FROM logs WHERE at < ? OR at > ? LIMIT ?)",
)


def sizes(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """How many traces are kept for each reason, and how many lines, and their bytes."""
    rows = connection.execute("SELECT kind, number, bytes FROM sizes").fetchall()
    return {kind: (number, size) for kind, number, size in (sound(row, (str, int, int)) for row in rows)}


def make_room(connection: sqlite3.Connection, limit: int) -> None:
    """Delete the oldest until the rest fits, within the caller's transaction."""
    rows = limit * _FILLING
    while True:
        kept = {kind: size for kind, (_, size) in sizes(connection).items()}
        if sum(kept.values()) <= rows:
            return
        kind = max(kept, key=lambda each: kept[each] - _SHARES[each] * rows)
        statement, values = (_REMOVE_LOGS, (_CHUNK,)) if kind == LOGS else (_REMOVE_TRACES, (kind, _CHUNK))
        if not connection.execute(statement, values).rowcount:
            return


def remove_aged(connection: sqlite3.Connection, now: float) -> None:
    """Delete what is older than a week, or from the future; of a lot, a part at a time."""
    for statement in _AGED:
        connection.execute(statement, (now - MAX_SECONDS, now + _FUTURE, _AGED_CHUNK))
