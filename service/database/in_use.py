"""Idle: whether nobody works with the database, for whatever puts another in its place."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL

from telemetry import slots_in_use
from telemetry.database import create_engine


@dataclass(frozen=True, slots=True)
class DatabaseLocation:
    """The service's database and the directory beside it; `name` is what PostgreSQL knows the service's connections by."""

    url: URL
    data_dir: Path
    name: str = "sovani"


class DatabaseInUse(Exception):  # it says what to do
    """Whoever writes meanwhile would write into what is taken away, or what is copied already."""


def require_unused(place: DatabaseLocation, then: str) -> None:
    """`then` is what was wanted, such as `restore`.

    Raises:
        DatabaseInUse: a process has the directory, or is connected to the database.
    """
    if slots_in_use(place.data_dir) or (place.url.get_backend_name() != "sqlite" and _is_connected_to(place)):
        raise DatabaseInUse(f"The service runs: stop all of it first, on every machine, and then {then}.")


def _is_connected_to(place: DatabaseLocation) -> bool:
    """Others on this database under this service's name."""
    sql = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
    )
    engine = create_engine(place.url, place.name)
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(sql))
    finally:
        engine.dispose()
