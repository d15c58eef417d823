"""Positions: how far each source was read, kept in the transaction of what was read."""

from datetime import datetime

from sqlalchemy.orm import Session

from service.marketplaces.marketplace import START, Position
from service.tables import SyncPositionRow


class Positions:
    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, name: str, now: datetime) -> tuple[Position, datetime]:
        """Where to read on, and since when: a reading that was cut off goes on, and is the same reading."""
        row = self._session.get(SyncPositionRow, name)
        if row is None:
            row = SyncPositionRow(name=name, position=dict(START), began_at=now, updated_at=now)
            self._session.add(row)
        if row.began_at is None or row.finished_at is not None:
            row.began_at, row.finished_at, row.updated_at = now, None, now
        return row.position, row.began_at

    def move(self, name: str, position: Position, now: datetime) -> None:
        row = self._session.get_one(SyncPositionRow, name)
        row.position, row.updated_at = dict(position), now

    def finish(self, name: str, now: datetime) -> None:
        row = self._session.get_one(SyncPositionRow, name)
        row.finished_at = row.updated_at = now
