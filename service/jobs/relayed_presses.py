"""Hands presses of Telegram's buttons to the machine that has sent the alert, by the database that the machines share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service.database.phone_tables import RelayedPressRow
from telemetry.alerts import Person, Place, PressUpdate, RelayedPress
from telemetry.database import transaction

_MAX_WAITING: Final = 100
_MAX_NAME: Final = 100
_MAX_ID: Final = 64


@dataclass(frozen=True, slots=True)
class DatabasePressRelay:
    """`now` is the time by the database's clock."""

    engine: Engine
    now: Callable[[], datetime]

    def put(self, update: PressUpdate) -> bool:
        if len(update.data) > _MAX_ID or len(update.query_id) > _MAX_ID:
            return False
        try:
            with transaction(self.engine) as session:
                session.add(_row(update, self.now()))
        except SQLAlchemyError:
            return False
        return True

    def waiting(self) -> Sequence[RelayedPress]:
        row = RelayedPressRow
        try:
            with transaction(self.engine) as session:
                rows = session.scalars(select(row).order_by(row.id).limit(_MAX_WAITING)).all()
                now = self.now()
                return [
                    RelayedPress(each.id, _update(each), abs((now - each.pressed_at).total_seconds())) for each in rows
                ]
        except SQLAlchemyError:
            return []

    def take(self, press_id: int) -> bool:
        row = RelayedPressRow
        try:
            with transaction(self.engine) as session:
                return session.scalar(delete(row).where(row.id == press_id).returning(row.id)) is not None
        except SQLAlchemyError:
            return False


def _row(update: PressUpdate, now: datetime) -> RelayedPressRow:
    return RelayedPressRow(
        data=update.data,
        query_id=update.query_id,
        person_id=update.person.id,
        person_name=update.person.name[:_MAX_NAME],
        chat_id=update.place.chat_id,
        chat_name=update.place.username[:_MAX_NAME],
        thread_id=update.place.thread_id,
        message_id=update.place.message_id,
        pressed_at=now,
    )


def _update(row: RelayedPressRow) -> PressUpdate:
    place = Place(row.chat_id, row.chat_name, row.thread_id, row.message_id)
    return PressUpdate(0, Person(row.person_id, row.person_name), place, row.query_id, row.data)
