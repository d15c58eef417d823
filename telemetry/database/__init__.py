"""Database engines for SQLite and PostgreSQL, with bounds for everything that they wait for, and transactions."""

from telemetry.database.engines import (
    SQLITE_BUSY_TIMEOUT_MS,
    create_engine,
    database_identity,
    dedicated_engine,
    transaction,
)
from telemetry.database.limits import EngineLimits
from telemetry.database.utc_datetime import UTCDateTime

__all__ = [
    "SQLITE_BUSY_TIMEOUT_MS",
    "EngineLimits",
    "UTCDateTime",
    "create_engine",
    "database_identity",
    "dedicated_engine",
    "transaction",
]
