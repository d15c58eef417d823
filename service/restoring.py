"""Restoring: the command `restore`, in words."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from service.backup import BackupFailed
from service.restore import RestoreFailed, restore_database
from service.settings import Settings
from telemetry.health.report import CheckFailed, describe
from telemetry.logs.cleanup import BACKUPS

Say = Callable[[str], None]
Complain = Callable[[str], int]


def restore(settings: Settings, backup: Path, say: Say, complain: Complain) -> int:
    try:
        restore_database(settings.url, backup, settings.data_dir, datetime.now(UTC), say)
    except (RestoreFailed, BackupFailed) as error:
        return complain(f"Not restored. {error}")
    except (SQLAlchemyError, CheckFailed) as error:
        return complain(f"Not restored. The database cannot be used: {describe(error)}.")
    return 0


def list_backups(data_dir: Path, say: Say, complain: Complain) -> int:
    directory = data_dir / BACKUPS
    found = sorted(directory.glob("sovani-*.*"), reverse=True) if directory.is_dir() else []
    if not found:
        return complain(f"There is no backup in {directory}.")
    say("\n".join(f"{each}  {each.stat().st_size:>14,} bytes" for each in found))
    return 0
