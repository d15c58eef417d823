"""Restoring: the commands `restore` and `copy-database`, in words."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from service.database.backup import BackupFailed
from service.database.copy_database import CopyFailed, copy_database
from service.database.in_use import DatabaseInUse, DatabaseLocation
from service.database.restore import RestoreFailed, restore_database
from service.settings import Settings
from telemetry.error_text import CheckFailed, safe_text
from telemetry.logs import BACKUP_DIRECTORY

Say = Callable[[str], None]
Complain = Callable[[str], int]


def restore(settings: Settings, backup: Path, say: Say, complain: Complain) -> int:
    try:
        restore_database(_place(settings), backup, datetime.now(UTC), say)
    except (RestoreFailed, BackupFailed, DatabaseInUse) as error:
        return complain(f"Not restored. {error}")
    except (SQLAlchemyError, CheckFailed) as error:
        return complain(f"Not restored. The database cannot be used: {safe_text(error)}.")
    return 0


def copy(settings: Settings, target: str, say: Say, complain: Complain) -> int:
    try:
        rows = copy_database(_place(settings), make_url(target), say)
    except (CopyFailed, DatabaseInUse) as error:
        return complain(f"Not copied. {error}")
    except ArgumentError:
        return complain("Not copied. The target is no URL such as postgresql+psycopg://user@host/name.")
    except (SQLAlchemyError, CheckFailed) as error:
        return complain(f"Not copied. A database cannot be used: {safe_text(error)}.")
    say(f"Copied: {rows:,} rows. Set DATABASE_URL to the target, and start the service.")
    return 0


def _place(settings: Settings) -> DatabaseLocation:
    return DatabaseLocation(settings.url, settings.data_dir, settings.service_name)


def list_backups(data_dir: Path, say: Say, complain: Complain) -> int:
    directory = data_dir / BACKUP_DIRECTORY
    found = sorted(directory.glob("sovani-*.*"), reverse=True) if directory.is_dir() else []
    if not found:
        return complain(f"There is no backup in {directory}.")
    say("\n".join(f"{each}  {each.stat().st_size:>14,} bytes" for each in found))
    return 0
