"""Copies all rows of one database into another, empty one, such as from SQLite to PostgreSQL, in one transaction."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.engine import URL, Engine

from service.database import migrations
from service.database.in_use import DatabaseLocation, require_unused
from service.database.tables import Base
from telemetry.database import create_engine

_BATCH_ROWS: Final = 2000
Say = Callable[[str], None]


class CopyFailed(Exception):  # the message is a sentence for the operator
    """Nothing was copied; the target is unchanged."""


def copy_database(source: DatabaseLocation, target: URL, say: Say) -> int:
    """Copy all rows of all tables. The target is migrated to the newest revision first.

    Args:
        source: the database to read.
        target: the database to write; it must have no rows.
        say: called with a sentence for each table.

    Returns:
        The number of rows.

    Raises:
        CopyFailed: both are the same database, or the target has rows.
        DatabaseInUse: the service is running.
        MigrationsMissing: the source is not at the newest revision.
    """
    if source.url == target:
        raise CopyFailed("Both are the same database.")
    require_unused(source, "copy")
    with _engine(source.url) as from_engine, _engine(target) as to_engine:
        migrations.at_head(from_engine)
        migrations.migrate(to_engine)
        with _snapshot(from_engine) as reading, migrations.exclusive_transaction(to_engine) as writing:
            return _copy(reading, writing, say)


def _copy(reading: Connection, writing: Connection, say: Say) -> int:
    tables = Base.metadata.sorted_tables
    if full := [table.name for table in tables if writing.scalar(select(1).select_from(table).limit(1))]:
        raise CopyFailed(f"The target has rows already, in {', '.join(full)}: it must be empty.")
    copied = 0
    for table in tables:
        rows = _copy_table(table, reading, writing)
        say(f"{table.name}: {rows:,} rows")
        copied += rows
    if writing.dialect.name == "postgresql":
        for table in tables:
            _advance_sequence(table, writing)
    return copied


def _copy_table(table: Table, reading: Connection, writing: Connection) -> int:
    copied = 0
    found = reading.execute(select(table).execution_options(yield_per=_BATCH_ROWS)).mappings()
    for batch in found.partitions():
        writing.execute(insert(table), [dict(row) for row in batch])
        copied += len(batch)
    return copied


def _advance_sequence(table: Table, writing: Connection) -> None:
    """Set PostgreSQL's sequence so that the next id is larger than all copied ids."""
    if (column := table.autoincrement_column) is None:
        return
    sequence = writing.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
    largest = writing.scalar(select(func.max(column)))
    if sequence and largest is not None:
        writing.execute(select(func.setval(sequence, largest)))


@contextmanager
def _engine(url: URL) -> Generator[Engine]:
    engine = create_engine(url, "sovani copy")
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _snapshot(engine: Engine) -> Generator[Connection]:
    """A connection that sees all tables as of one point in time."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # the driver begins a transaction only for writes
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection
