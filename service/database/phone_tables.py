"""The table of presses of buttons that one machine has read, and another one handles."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from service.database.columns import ROW_ID
from telemetry.database import UTCDateTime
from telemetry.jobs import Base


class RelayedPressRow(Base):
    """A press of a button in Telegram about an alert of another machine. It is deleted by the process that handles it.

    Attributes:
        data: what the button brings back.
        query_id: by which the press is answered.
        pressed_at: when it was read, by the database's clock.
    """

    __tablename__ = "relayed_presses"

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    data: Mapped[str] = mapped_column(String(64))
    query_id: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[int] = mapped_column(BigInteger)
    person_name: Mapped[str] = mapped_column(String(100))
    chat_id: Mapped[int] = mapped_column(BigInteger)
    chat_name: Mapped[str] = mapped_column(String(100))
    thread_id: Mapped[int | None] = mapped_column(BigInteger)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    pressed_at: Mapped[datetime] = mapped_column(UTCDateTime)
