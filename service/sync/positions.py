"""Stores how far each source was read (its cursor). A position advances once the rows before it are stored."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from service.database.tables import SyncPositionRow
from service.database.upsert import insert_into
from service.integrations.marketplace import START, Position
from telemetry.database import UTCDateTime
from telemetry.json_safe import without_surrogates

_MAX_ERROR_LENGTH: Final = 500


class SyncPositions:
    """The positions of all sources, by the source's name. Does not commit."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def start(self, name: str, now: datetime) -> tuple[Position, datetime]:
        """Begin a reading of a source, or resume one that was interrupted.

        Returns:
            The position to read from, and when this reading began.
        """
        first = insert_into(self._session, SyncPositionRow).values(name=name, position=dict(START), updated_at=now)
        self._session.execute(first.on_conflict_do_nothing())
        row = self._session.get_one(SyncPositionRow, name)
        if row.began_at is None or row.finished_at is not None:
            row.began_at, row.finished_at, row.updated_at = now, None, now
        return row.position, row.began_at

    def advance(self, name: str, position: Position, now: datetime) -> None:
        """Store the position behind the rows that were stored."""
        row = self._session.get_one(SyncPositionRow, name)
        row.position, row.updated_at = dict(position), now

    def finish(self, name: str, now: datetime) -> None:
        """End the reading: the source has no more rows for now."""
        row = self._session.get_one(SyncPositionRow, name)
        row.finished_at = row.updated_at = now
        completed_at: Any = now  # with SQLite, the machine's clock is the database's
        if self._session.get_bind().dialect.name == "postgresql":
            completed_at = func.clock_timestamp(type_=UTCDateTime)
        row.completed_at = completed_at

    def note_error(self, name: str, reason: str, now: datetime) -> None:
        """Keep why a source could not be read to its end. The position stays."""
        values = {"last_error": without_surrogates(reason)[:_MAX_ERROR_LENGTH], "last_error_at": now}
        self._session.execute(update(SyncPositionRow).where(SyncPositionRow.name == name).values(values))
