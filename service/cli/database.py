"""The commands `restore` and `copy-database`."""

import argparse
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from service.cli.output import complain, say
from service.database.backup import BackupFailed
from service.database.clock import utcnow
from service.database.copy_database import CopyFailed, copy_database
from service.database.in_use import DatabaseInUse, DatabaseLocation
from service.database.restore import RestoreFailed, restore_database
from service.settings import Settings
from telemetry.error_text import CheckFailed, safe_text
from telemetry.logs import BACKUP_DIRECTORY, setup_logging
from telemetry.redaction import hide_url


def restore(options: argparse.Namespace) -> int:
    """Replace the database by a backup; without a file, list the backups."""
    settings = Settings.read()
    setup_logging(settings)
    if options.file is None:
        return _list_backups(settings.data_dir)
    try:
        restore_database(_location(settings), options.file, utcnow(), say)
    except (RestoreFailed, BackupFailed, DatabaseInUse) as error:
        return complain(f"Not restored. {error}")
    except (SQLAlchemyError, CheckFailed) as error:
        return complain(f"Not restored. The database cannot be used: {safe_text(error)}.")
    return 0


def copy(options: argparse.Namespace) -> int:
    """Copy all rows of the database into another, empty one."""
    settings = Settings.read()
    setup_logging(settings)
    hide_url("the target", options.target)
    try:
        rows = copy_database(_location(settings), make_url(options.target), say)
    except (CopyFailed, DatabaseInUse) as error:
        return complain(f"Not copied. {error}")
    except (ArgumentError, ValueError):  # a port that is no number
        return complain("Not copied. The target is no URL such as postgresql+psycopg://user@host/name.")
    except (SQLAlchemyError, CheckFailed) as error:
        return complain(f"Not copied. A database cannot be used: {safe_text(error)}.")
    say(f"Copied: {rows:,} rows. Set DATABASE_URL to the target, and start the service.")
    return 0


def _location(settings: Settings) -> DatabaseLocation:
    return DatabaseLocation(settings.url, settings.data_dir, settings.service_name)


def _list_backups(data_dir: Path) -> int:
    directory = data_dir / BACKUP_DIRECTORY
    backups = sorted(directory.glob("sovani-*.*"), reverse=True) if directory.is_dir() else []
    if not backups:
        return complain(f"There is no backup in {directory}.")
    say("\n".join(f"{each}  {each.stat().st_size:>14,} bytes" for each in backups))
    return 0
