"""The service's own tables, on the same metadata as the telemetry's, so that one chain of migrations makes both."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from telemetry.database import UTCDateTime
from telemetry.jobs.tables import Base

__all__ = ["Base", "ScheduleClaim"]


class ScheduleClaim(Base):
    """The tick of each job that was claimed last."""

    __tablename__ = "schedule_claims"

    job_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    last_tick: Mapped[datetime] = mapped_column(UTCDateTime)
