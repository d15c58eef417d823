"""The values of a column that begins an index: one look into the index for each, however many rows there are."""

import sqlite3
from typing import Final

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
