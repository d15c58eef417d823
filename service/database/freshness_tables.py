"""The tables of the freshness monitor: when credentials expire, and which of its alerts were sent."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from telemetry.database import UTCDateTime
from telemetry.jobs import Base


class CredentialExpiryRow(Base):
    """When the credentials of a service expire, for services that have to be asked.

    Attributes:
        fingerprint: hash of the credentials; new ones make the row invalid.
        expires_at: None if the service says that they do not expire.
        checked_at: when the service was asked.
    """

    __tablename__ = "credential_expiries"

    service: Mapped[str] = mapped_column(String(20), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    checked_at: Mapped[datetime] = mapped_column(UTCDateTime)


class SentAlertRow(Base):
    """An alert that one process has sent for all: a condition that is present, or a threshold that was crossed."""

    __tablename__ = "sent_alerts"

    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    sent_at: Mapped[datetime] = mapped_column(UTCDateTime)
