"""Bulk upsert of reviews and orders, on both databases. Of two versions of the same row, the one read later wins."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, case, delete, false, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.database.tables import OrderRow, ReviewRow

Table = type[OrderRow] | type[ReviewRow]
Changes = Callable[[Any], Mapping[str, ColumnElement[Any]]]
Values = Mapping[str, Any]
"""A row's columns by name. Rows with the same content have the same `digest`."""
Key = tuple[str, str]
"""Marketplace and external id."""
_NEW: Final = "new"
_CHANGED: Final = "changed"
_UNCHANGED: Final = "unchanged"


@dataclass(frozen=True, slots=True)
class Saved:
    """How many rows were new, changed or unchanged. Duplicates and outdated rows count as unchanged."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


def insert_into(session: Session, table: type[Any]) -> Any:
    """An INSERT with ON CONFLICT: the same SQL on both databases, but a class for each in SQLAlchemy."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def by_key(table: Table, marketplace: str, external_id: Any) -> ColumnElement[bool]:
    """The condition for one row, by the index that begins with the external id.

    With a bare `marketplace` column PostgreSQL, while it has no statistics, may choose an index that begins with the
    marketplace, and read all of the marketplace's rows.
    """
    return and_(table.external_id == external_id, table.marketplace.concat("") == marketplace)


def kept_if_unknown(read: Any, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """The new value of a column with a date. A date that is not known is inserted as `first_seen_at`, and replaces none."""
    date = read[column.key]
    return case((date == read.first_seen_at, column), else_=date)


def is_bad_row(error: Exception) -> bool:
    """Whether the rows caused the error, not the database. The driver, SQLAlchemy and Python each have their own errors."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | UnicodeError | OverflowError)


def digest(*content: object) -> str:
    """A hash of the content. It does not depend on the order of keys or on the Python version."""
    text = json.dumps(content, default=_text, separators=(",", ":"), sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _text(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def upsert(session: Session, table: Table, rows: Sequence[Values], changes: Changes) -> Saved:
    """Insert new rows, and update rows that were read later than the stored version.

    It locks the table, so it must be the first write of the transaction.

    Args:
        session: an open transaction.
        table: the table.
        rows: the rows; duplicates are allowed.
        changes: maps the row that was to be inserted to the columns to update on conflict.
    """
    latest = _latest(rows)
    _lock_table(session, table)
    stored = _stored(session, table, latest)
    to_write = [row for key, row in latest.items() if _must_write(row, stored.get(key))]
    if to_write:
        session.connection().execute(_statement(session, table, changes), to_write)
    counts = Counter(_classify(row, stored.get(key)) for key, row in latest.items())
    new, changed = counts[_NEW], counts[_CHANGED]
    return Saved(new, changed, len(rows) - new - changed)


def _latest(rows: Iterable[Values]) -> dict[Key, Values]:
    """The latest version of each row; of those read at the same time, the last."""
    latest: dict[Key, Values] = {}
    for row in rows:
        key = (row["marketplace"], row["external_id"])
        if key not in latest or row["as_of"] >= latest[key]["as_of"]:
            latest[key] = row
    return latest


def _lock_table(session: Session, table: Table) -> None:
    """Block other upserts into the table until this transaction ends, so that the stored rows do not change.

    SQLite has one write lock, which a DELETE of no rows takes. On PostgreSQL sequential scans are switched off as well:
    it reuses plans, and one from when the table was small would read the whole table for each batch.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.connection().execute(delete(table).where(false()))
    else:
        key = int.from_bytes(blake2b(table.__tablename__.encode(), digest_size=8).digest(), "big", signed=True)
        planning = func.set_config("enable_seqscan", "off", true())
        session.connection().execute(select(func.pg_advisory_xact_lock(key), planning))


def _stored(session: Session, table: Table, keys: Collection[Key]) -> dict[Key, Row[Any]]:
    """Selects by external id alone: given a marketplace too, PostgreSQL may choose an index that begins with it."""
    ids = [external_id for _, external_id in keys]
    columns = table.marketplace, table.external_id, table.as_of, table.digest
    rows = session.connection().execute(select(*columns).where(table.external_id.in_(ids)))
    return {(row.marketplace, row.external_id): row for row in rows}


def _must_write(row: Values, stored: Row[Any] | None) -> bool:
    """A row that was read later is written even if unchanged: its `as_of` keeps older versions from being written."""
    return _classify(row, stored) != _UNCHANGED or (stored is not None and row["as_of"] > stored.as_of)


def _classify(row: Values, stored: Row[Any] | None) -> str:
    if stored is None:
        return _NEW
    return _CHANGED if row["as_of"] >= stored.as_of and row["digest"] != stored.digest else _UNCHANGED


def _statement(session: Session, table: Table, changes: Changes) -> Any:
    insert = insert_into(session, table)
    return insert.on_conflict_do_update(
        index_elements=[table.marketplace, table.external_id],
        set_=changes(insert.excluded),
        where=insert.excluded.as_of >= table.as_of,
    )
