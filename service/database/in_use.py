"""Checks that no process uses the database, before it is restored or copied."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL

from telemetry import live_processes
from telemetry.database import create_engine


@dataclass(frozen=True, slots=True)
class DatabaseLocation:
    """The service's database and data directory. `name` is the `application_name` of its connections to PostgreSQL."""

    url: URL
    data_dir: Path
    name: str = "sovani"


class DatabaseInUse(Exception):  # the message says what to do
    """The service is running: its writes would be lost, or missing in the copy."""


def require_unused(location: DatabaseLocation, action: str) -> None:
    """Raise if a process of the service is running.

    Args:
        location: the database and the data directory.
        action: what the caller is about to do, for the message, such as `restore`.

    Raises:
        DatabaseInUse: a process uses the data directory, or is connected to the database.
    """
    if any(live_processes(location.data_dir)) or (
        location.url.get_backend_name() != "sqlite" and _has_connections(location)
    ):
        raise DatabaseInUse(f"The service is running: stop it on every machine first, and then {action}.")


def _has_connections(location: DatabaseLocation) -> bool:
    """Whether the service has connections to this database, of any process on any machine."""
    sql = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
    )
    engine = create_engine(location.url, location.name)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(sql))
    finally:
        engine.dispose()
