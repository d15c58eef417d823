"""SyncPositions: how far each source was read. One moves when all that was read until there is stored."""

from datetime import datetime

from sqlalchemy.orm import Session

from service.database.tables import SyncPositionRow
from service.database.upsert import insert_into
from service.integrations.marketplace import START, Position


class SyncPositions:
    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, name: str, now: datetime) -> tuple[Position, datetime]:
        """Where to read on, and since when: a reading that was cut off goes on, and is the same reading."""
        first = insert_into(self._session, SyncPositionRow).values(name=name, position=dict(START), updated_at=now)
        self._session.execute(first.on_conflict_do_nothing())
        row = self._session.get_one(SyncPositionRow, name)
        if row.began_at is None or row.finished_at is not None:
            row.began_at, row.finished_at, row.updated_at = now, None, now
        return row.position, row.began_at

    def move(self, name: str, position: Position, now: datetime) -> None:
        row = self._session.get_one(SyncPositionRow, name)
        row.position, row.updated_at = dict(position), now

    def finish(self, name: str, now: datetime) -> None:
        row = self._session.get_one(SyncPositionRow, name)
        row.finished_at = row.updated_at = now
