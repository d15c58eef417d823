"""The commands `restore` and `copy-database`."""

import argparse
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from service.cli.exit_codes import SUCCESS, USAGE
from service.cli.output import aligned, complain, program_here, say
from service.cli.units import format_age, format_size
from service.database.backup import BackupFailed
from service.database.clock import utcnow
from service.database.copy_database import CopyFailed, copy_database
from service.database.in_use import DatabaseInUse, DatabaseLocation
from service.database.restore import RestoreFailed, restore_database
from service.settings import Settings
from telemetry.error_text import CheckFailed, safe_text
from telemetry.logs import BACKUP_DIRECTORY, setup_logging
from telemetry.redaction import hide_url
from telemetry.settings import validated_database_url

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{0,40})://", re.IGNORECASE)
_SUPPORTED: Final = frozenset({"sqlite", "postgresql", "postgresql+psycopg"})
_EXPECTED_URL: Final = "Expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
_TIMESTAMP: Final = re.compile(r"\d{8}T\d{6}Z")


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
    hide_url("the target", options.target)
    try:
        target = _target(options.target)
    except ValueError as error:
        return complain(f"Not copied. {error} {_EXPECTED_URL}", USAGE)
    settings = Settings.read()
    setup_logging(settings)
    try:
        rows = copy_database(_location(settings), target, say)
    except (CopyFailed, DatabaseInUse) as error:
        return complain(f"Not copied. {error}")
    except (SQLAlchemyError, CheckFailed) as error:
        return complain(f"Not copied. A database cannot be used: {safe_text(error)}.")
    say(f"Copied: {rows:,} rows. Set DATABASE_URL to the target, and start the service.")
    return SUCCESS


def _target(text: str) -> URL:
    """The URL of the other database.

    Raises:
        ValueError: it is no URL of a database that the service can use; the message is a sentence.
    """
    try:
        url = make_url(validated_database_url(text))
    except ValueError:
        found = _SCHEME.match(text)
        scheme = found[1] if found else ""
        is_other = scheme and scheme not in _SUPPORTED
        raise ValueError(f"{scheme}:// is not supported." if is_other else "The URL is invalid.") from None
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise ValueError("A database in memory would end with this command.")
    return url


def _location(settings: Settings) -> DatabaseLocation:
    return DatabaseLocation(settings.url, settings.data_dir, settings.service_name)


def _list_backups(data_dir: Path) -> int:
    directory = data_dir / BACKUP_DIRECTORY
    backups = sorted(directory.glob("sovani-*.*"), reverse=True) if directory.is_dir() else []
    if not backups:
        return complain(f"There is no backup in {directory}.")
    now = utcnow()
    rows = [("BACKUP", "AGE", "SIZE"), *(_backup_cells(each, now) for each in backups)]
    say("\n".join(aligned(rows)))
    say(f"Restore one: {program_here()} restore {backups[0]}")
    return SUCCESS


def _backup_cells(backup: Path, now: datetime) -> tuple[str, ...]:
    return str(backup), format_age(_made_at(backup), now), format_size(backup.stat().st_size)


def _made_at(backup: Path) -> datetime:
    """The time in the name: a copy of the file has another time of its own, which counts only for a name without one."""
    if found := _TIMESTAMP.search(backup.name):
        with suppress(ValueError):
            return datetime.strptime(found[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.fromtimestamp(backup.stat().st_mtime, UTC)
