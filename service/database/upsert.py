"""Upserts: many rows by one statement, on both databases. Of two readings of the same thing the later one counts."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, false, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from service.database.tables import OrderRow, ReviewRow

Table = type[OrderRow] | type[ReviewRow]
Changes = Callable[[Any], Mapping[str, ColumnElement[Any]]]
Values = Mapping[str, Any]
"""A row's columns by name; `digest` says whether its content is that of another."""
Key = tuple[str, str]
_NEW: Final = "new"
_CHANGED: Final = "changed"
_UNCHANGED: Final = "unchanged"


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of rows; one that was read twice, or later before, has changed nothing."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


def insert_into(session: Session, table: type[Any]) -> Any:
    """An INSERT that knows ON CONFLICT; the two databases say it alike, and SQLAlchemy has one for each."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def by_key(table: Table, marketplace: str, external_id: Any) -> ColumnElement[bool]:
    """One row, by the index that begins with its id.

    With the bare column PostgreSQL would take one that begins with the marketplace to be as good, while it has no
    statistics, and read all that the marketplace has.
    """
    return and_(table.external_id == external_id, table.marketplace.concat("") == marketplace)


def is_bad_row(error: Exception) -> bool:
    """The rows are at fault, not the database: a driver says it in its way, and SQLAlchemy and Python in theirs."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | UnicodeError | OverflowError)


def digest(*content: object) -> str:
    """The same for the same content, in whatever order its names come and whatever version of Python computes it."""
    text = json.dumps(content, default=_text, separators=(",", ":"), sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _text(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def upsert(session: Session, table: Table, rows: Sequence[Values], changes: Changes) -> Saved:
    """Write what is new, or later than what is there. Called before a transaction writes anything else.

    `changes` says what becomes of a row that is there already, from the one that was to be inserted.
    """
    latest = _latest(rows)
    _lock_table(session, table)
    known = _known(session, table, latest)
    due = [row for key, row in latest.items() if _is_due(row, known.get(key))]
    if due:
        session.connection().execute(_statement(session, table, changes), due)
    became = Counter(_classify(row, known.get(key)) for key, row in latest.items())
    new, changed = became[_NEW], became[_CHANGED]
    return Saved(new, changed, len(rows) - new - changed)


def _latest(rows: Iterable[Values]) -> dict[Key, Values]:
    """One for each thing: the latest reading, and of equal ones the last."""
    latest: dict[Key, Values] = {}
    for row in rows:
        key = (row["marketplace"], row["external_id"])
        if key not in latest or row["as_of"] >= latest[key]["as_of"]:
            latest[key] = row
    return latest


def _lock_table(session: Session, table: Table) -> None:
    """Nobody else upserts into the table until this transaction ends: what is known of its rows stays true.

    SQLite has one lock, for whoever writes: deleting nothing takes it. PostgreSQL keeps the plan of a statement, and one from
    when the table was small would read all of it for each batch: so there is to be none that does.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.connection().execute(delete(table).where(false()))
    else:
        key = int.from_bytes(blake2b(table.__tablename__.encode(), digest_size=8).digest(), "big", signed=True)
        planning = func.set_config("enable_seqscan", "off", true())
        session.connection().execute(select(func.pg_advisory_xact_lock(key), planning))


def _known(session: Session, table: Table, keys: Collection[Key]) -> dict[Key, Row[Any]]:
    """By the ids alone: where the marketplace is asked for too, PostgreSQL may take an index that begins with it."""
    ids = [external_id for _, external_id in keys]
    columns = table.marketplace, table.external_id, table.as_of, table.digest
    rows = session.connection().execute(select(*columns).where(table.external_id.in_(ids)))
    return {(row.marketplace, row.external_id): row for row in rows}


def _is_due(row: Values, known: Row[Any] | None) -> bool:
    """A later reading is written though nothing changed, so that an earlier one that comes after it does not count."""
    return _classify(row, known) != _UNCHANGED or (known is not None and row["as_of"] > known.as_of)


def _classify(row: Values, known: Row[Any] | None) -> str:
    if known is None:
        return _NEW
    return _CHANGED if row["as_of"] >= known.as_of and row["digest"] != known.digest else _UNCHANGED


def _statement(session: Session, table: Table, changes: Changes) -> Any:
    insert = insert_into(session, table)
    return insert.on_conflict_do_update(
        index_elements=[table.marketplace, table.external_id],
        set_=changes(insert.excluded),
        where=insert.excluded.as_of >= table.as_of,
    )
