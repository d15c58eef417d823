"""Records: what a program left in its SQLite database, read from outside."""

import sqlite3
from contextlib import closing
from pathlib import Path


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()
