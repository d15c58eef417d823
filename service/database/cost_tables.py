"""The tables of costs: what was used and what it cost by day, until when the room on the disk is counted, and which writes arrived."""

from datetime import date, datetime

from sqlalchemy import Date, Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from telemetry.database import UTCDateTime
from telemetry.jobs import Base


class CostDayRow(Base):
    """What one job, route or part of the service used of a resource on one UTC day, on one machine. All its processes add to it.

    Attributes:
        amount: CPU seconds; bytes times seconds of memory and storage; US dollars of OpenAI.
        usd: at the prices of the time when it was used; NULL if there was none.
    """

    __tablename__ = "cost_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    resource: Mapped[str] = mapped_column(String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    machine: Mapped[str] = mapped_column(String(255), primary_key=True)
    amount: Mapped[float] = mapped_column(Float)
    usd: Mapped[float | None] = mapped_column(Float)


class CostStoreRow(Base):
    """Until when the room that a store takes is counted. The process that moves `counted_until` on counts the time between.

    `machine` is empty for the database, which all machines share.
    """

    __tablename__ = "cost_stores"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    machine: Mapped[str] = mapped_column(String(255), primary_key=True)
    counted_until: Mapped[datetime] = mapped_column(UTCDateTime)


class CostWriteRow(Base):
    """The number of the last write of each process, in the same transaction as what it wrote.

    After a commit of unknown result (the connection is lost in it), the process sees here whether it was committed.
    """

    __tablename__ = "cost_writes"

    process: Mapped[str] = mapped_column(String(36), primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)
