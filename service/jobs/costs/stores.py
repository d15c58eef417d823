"""The room on the disk that the service takes: the database, the spools, the logs and the backups."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.names import BACKUPS_STORE, DATABASE_STORE, LOGS_STORE, SPOOLS_STORE
from service.settings import Settings
from telemetry.database import transaction
from telemetry.logs import BACKUP_DIRECTORY

Measure = Callable[[], int]


def stores(settings: Settings, engine: Engine) -> Mapping[str, Measure]:
    """For each store how many bytes it has. What is in the data directory and none of the others is a spool."""
    database, backups, logs = _database_file(engine), settings.data_dir / BACKUP_DIRECTORY, settings.log_dir
    apart = {each.resolve() for each in (backups, logs)}
    return {
        DATABASE_STORE: lambda: _database_bytes(engine, database),
        SPOOLS_STORE: lambda: sum(_sizes(settings.data_dir, apart, database)),
        LOGS_STORE: lambda: sum(_sizes(logs)),
        BACKUPS_STORE: lambda: sum(_sizes(backups)),
    }


def _database_file(engine: Engine) -> Path | None:
    name = engine.url.database
    return Path(name).resolve() if engine.dialect.name == "sqlite" and name else None


def _database_bytes(engine: Engine, file: Path | None) -> int:
    """Raises SQLAlchemyError if the database is unavailable."""
    if engine.dialect.name != "sqlite":
        with transaction(engine) as session:
            return _postgresql_bytes(session)
    files = () if file is None else (file, Path(f"{file}-wal"), Path(f"{file}-shm"))
    return sum(each.stat().st_size for each in files if each.exists())


def _postgresql_bytes(session: Session) -> int:
    return session.scalar(select(func.pg_database_size(func.current_database()))) or 0


def _sizes(
    directory: Path, apart: frozenset[Path] | set[Path] = frozenset(), database: Path | None = None
) -> Iterator[int]:
    """The sizes of the files below, without those in `apart` and the database. A file that is gone meanwhile has none."""
    for folder, folders, files in os.walk(directory):
        here = Path(folder)
        folders[:] = [name for name in folders if (here / name).resolve() not in apart]
        for name in files:
            if database is not None and name.startswith(database.name) and here.resolve() == database.parent:
                continue
            try:
                yield (here / name).lstat().st_size
            except OSError:
                continue
