"""Recovers what a damaged outbox holds into a new one, row by row: also what waits in its log."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from telemetry.alerts.incident import Incident
from telemetry.alerts.outbox.log_frames import PAGE_SIZE
from telemetry.alerts.outbox.page_image import FILE_HEADER, MAX_BYTES, image, records, with_old_pages
from telemetry.alerts.outbox.schema import ADDED_TO_INCIDENTS, create_schema

Row = Mapping[str, Any]
_ORDERS: Final = {
    "incidents": "id",
    "posts": "id",
    "tellings": "post_id",
    "sends": "rowid",
    "channels": "rowid",
    "leases": "rowid",
    "states": "rowid",
    "silences": "id",
    "deliveries": "incident_id",
}
"""The tables, each with the column by which it is read from both ends."""
_UNTOLD: Final = {"told_post": None, "told_at": None, "told_count": 0, "muted_by": None}
_NUMBERS: Final = ("first_at", "last_at", "count", "due_at", "told_count", "end_told", "attempts")


def salvage(damaged: Path, target: Path) -> int:
    """Create an outbox with what can be read of a damaged one, its log included.

    The log may not belong to the file: what is in the file alone counts as well.

    Returns:
        How many incidents were recovered.

    Raises:
        sqlite3.Error, OSError: the new one cannot be written.
    """
    database, log = _content(damaged), _content(Path(f"{damaged}-wal"))
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        create_schema(new)
        new.execute("BEGIN IMMEDIATE")
        for source in ((database, log), (database, b"")) if log else ((database, log),):
            _copy(source, new)
        return _finish(new)


def copy_all(source: sqlite3.Connection, target: Path) -> int:
    """Like `salvage`, from a connection whose file was deleted."""
    with closing(sqlite3.connect(target, isolation_level=None)) as new:
        create_schema(new)
        new.execute("BEGIN IMMEDIATE")
        _copy_tables(source, new)
        return _finish(new)


def _content(path: Path) -> bytes:
    """Nothing, if the file is too large, is no file or cannot be read."""
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            return path.read_bytes()
    return b""


def _finish(new: sqlite3.Connection) -> int:
    """A message that tells of no incident cannot be sent."""
    new.execute("DELETE FROM posts WHERE id NOT IN (SELECT post_id FROM tellings)")
    new.execute(
        "UPDATE posts SET message_id = NULL WHERE channel = 'telegram' AND chat_id IS NULL"
    )  # of an older version
    new.execute("COMMIT")
    return int(new.execute("SELECT count(*) FROM incidents").fetchone()[0])


def _copy(source: tuple[bytes, bytes], new: sqlite3.Connection) -> None:
    whole = bytes(image(*source))
    for first_page in (whole[:PAGE_SIZE], b""):
        if _copy_image(_with_header(first_page, whole, new), new):
            return
    columns = _columns(new, "incidents")
    # A row from before the last columns has none of them.
    counts = range(len(columns) - len(ADDED_TO_INCIDENTS), len(columns) + 1)
    found = records(with_old_pages(whole, source[1]), counts)
    _insert(new, "incidents", (dict(zip(columns, [rowid, *values[1:]], strict=False)) for rowid, values in found))


def _with_header(first_page: bytes, whole: bytes, new: sqlite3.Connection) -> bytes:
    """The image with a right header; without a first page with that of a new outbox, which has the same tables there."""
    first = bytearray(new.serialize()[:PAGE_SIZE])
    first[FILE_HEADER:] = first_page[FILE_HEADER:] or first[FILE_HEADER:]
    first[18:20] = b"\1\1"  # no log
    first[28:32] = (len(whole) // PAGE_SIZE).to_bytes(4)
    first[92:96] = first[24:28]  # that size is valid
    return bytes(first) + whole[PAGE_SIZE:]


def _copy_image(whole: bytes, new: sqlite3.Connection) -> bool:
    with closing(sqlite3.connect(":memory:")) as old:
        try:
            old.deserialize(whole)
            return _copy_tables(old, new)
        except sqlite3.Error:
            return False


def _copy_tables(old: sqlite3.Connection, new: sqlite3.Connection) -> bool:
    """Returns whether all incidents were readable."""
    old.row_factory, old.text_factory = sqlite3.Row, lambda text: text.decode(errors="replace")
    unreadable: set[str] = set()
    for table, order in _ORDERS.items():
        _insert(new, table, (dict(row) for row in _rows(old, table, order, unreadable)))
    return "incidents" not in unreadable


def _rows(old: sqlite3.Connection, table: str, order: str, unreadable: set[str]) -> Iterator[sqlite3.Row]:
    """The rows up to a damaged page, and those behind it from the other end. No index is used: it may not fit."""
    for direction in ("ASC", "DESC"):
        try:
            yield from old.execute(f"SELECT * FROM {table} NOT INDEXED ORDER BY {order} {direction}")  # noqa: S608  # the constants above
        except sqlite3.Error:
            unreadable.add(table)
        else:
            return


def _insert(new: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    """Insert the rows that are not there yet. One that no outbox would have is left out."""
    columns = _columns(new, table)
    for row in rows:
        with suppress(sqlite3.Error, KeyError, IndexError, OverflowError):
            found = _VALID[table](new, row) if table in _VALID else row
            if found is not None:
                there = [column for column in columns if column in found]  # an older version has fewer
                new.execute(_insertion(table, there), [found[column] for column in there])


def _insertion(table: str, columns: list[str]) -> str:
    if table == "tellings":
        return (
            "INSERT OR IGNORE INTO tellings SELECT posts.id, incidents.id FROM posts, incidents "
            "WHERE posts.id = ? AND incidents.id = ?"
        )
    return f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # the schema's


def _valid_incident(new: sqlite3.Connection, row: Row) -> Row | None:
    """None if it is none. If its id is another incident's, as the log was not that of the file, it is sent again with a new one."""
    if not _is_valid(row):
        return None
    other = new.execute("SELECT fingerprint FROM incidents WHERE id = ?", (row["id"],)).fetchone()
    return row if other is None or other[0] == row["fingerprint"] else {**row, **_UNTOLD, "id": None}


def _valid_delivery(new: sqlite3.Connection, row: Row) -> Row | None:
    """None if it is not of the incident that has its id."""
    there = new.execute("SELECT fingerprint FROM incidents WHERE id = ?", (row["incident_id"],)).fetchone()
    return row if there is not None and there[0] == row["key"] else None


_VALID: Final = {"incidents": _valid_incident, "deliveries": _valid_delivery}


def _is_valid(row: Row) -> bool:
    with suppress(ValueError, TypeError, KeyError):
        incident = Incident.from_row({**ADDED_TO_INCIDENTS, **row})
        numbers = all(isinstance(row[name], int | float) for name in _NUMBERS)
        return numbers and all(isinstance(each, str) for each in (incident.fingerprint, incident.summary))
    return False


def _columns(new: sqlite3.Connection, table: str) -> list[str]:
    return [row[0] for row in new.execute("SELECT name FROM pragma_table_info(?)", (table,))]
