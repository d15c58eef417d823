"""Stores how far each source was read (its cursor). A position advances once the rows before it are stored."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingEnd:
    """How a reading of a source ended.

    Attributes:
        finished: the source has no more rows for now; else the reading has to pause.
        moved: the position is another one than before.
        has_more: rows have come that should have moved the position, or the reading is not finished.
    """

    finished: bool = False
    moved: bool = False
    has_more: bool = False


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

    def end(self, name: str, end: ReadingEnd, now: datetime) -> datetime | None:
        """End a reading for now.

        Returns:
            Since when the source has had more than a position that does not move; None if this reading says nothing of it.
        """
        row = self._session.get_one(SyncPositionRow, name)
        if end.finished:
            row.finished_at = row.updated_at = now
            row.completed_at = self._completed_at(now)
        if end.has_more and not end.moved:
            row.stalled_since = min(row.stalled_since or now, now)
            return row.stalled_since
        if end.moved or row.position == START:
            row.stalled_since = None
        return None

    def finish(self, name: str, now: datetime) -> None:
        """End the reading: the source has no more rows for now."""
        self.end(name, ReadingEnd(finished=True), now)

    def _completed_at(self, now: datetime) -> Any:
        """By the database's clock. With SQLite, that is the machine's."""
        is_postgresql = self._session.get_bind().dialect.name == "postgresql"
        return func.clock_timestamp(type_=UTCDateTime) if is_postgresql else now

    def note_error(self, name: str, reason: str, now: datetime) -> None:
        """Keep why a source could not be read to its end. The position stays."""
        values = {"last_error": without_surrogates(reason)[:_MAX_ERROR_LENGTH], "last_error_at": now}
        self._session.execute(update(SyncPositionRow).where(SyncPositionRow.name == name).values(values))
