"""Values of a column that begins an index: one look into the index for each, however many rows there are."""

import sqlite3
from typing import Final

from telemetry.recent.recent_file import sound

_QUERY: Final = """
WITH RECURSIVE found (value) AS (
    SELECT min({column}) FROM {table}
    UNION ALL
    SELECT (SELECT min({column}) FROM {table} WHERE {column} > value) FROM found WHERE value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL LIMIT ?
"""


def distinct_values(connection: sqlite3.Connection, table: str, column: str, limit: int) -> list[str]:
    """The first values, in order."""
    rows = connection.execute(_QUERY.format(table=table, column=column), (limit,))
    return [value for (value,) in rows]


def least_number(connection: sqlite3.Connection, table: str, column: str) -> float | None:
    """None if the table is empty."""
    row = connection.execute(f"SELECT min({column}) FROM {table}").fetchone()  # noqa: S608  # names of ours
    least: float | None = sound(row, (float | None,))[0]
    return least
