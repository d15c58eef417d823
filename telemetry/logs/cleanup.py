"""Removes old rotated logs and surplus database backups, and no files of others."""

import logging
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from telemetry.logs.rotating_file import is_rotated
from telemetry.settings import TelemetrySettings

BACKUP_DIRECTORY: Final = "backups"
_BACKUP_SUFFIX: Final = r"-([0-9]{8}T[0-9]{6}Z)(?:-([0-9]+))?\.(?:db|dump)"
_log = logging.getLogger(__name__)
_service_name = TelemetrySettings.service_name


def set_service_name(name: str) -> None:
    """The service whose files are cleaned up by this process where no other is named."""
    global _service_name  # noqa: PLW0603  # one for a process, as the logging itself
    _service_name = name


def cleanup_old_logs(
    max_age_days: float = 30, log_dir: Path | None = None, now: datetime | None = None, service_name: str | None = None
) -> int:
    """Remove rotated logs that were last written more than `max_age_days` ago. Logs in use stay, whatever their age.

    Args:
        max_age_days: age in days.
        log_dir: by default `LOG_DIR`.
        now: by default the current time.
        service_name: whose files; by default those of this process's service.

    Returns:
        The number of removed files.

    Raises:
        ValueError: the age is negative, which would remove all of them.
    """
    if max_age_days < 0:
        raise ValueError(f"max_age_days is {max_age_days}, but must be 0 or more.")
    directory = TelemetrySettings.read().log_dir if log_dir is None else log_dir
    cutoff = (now or datetime.now(UTC)) - timedelta(days=max_age_days)
    rotated = (entry for entry in _regular_files(directory) if is_rotated(entry.name, service_name or _service_name))
    return _remove(Path(entry) for entry in rotated if _written_before(entry, cutoff))


def cleanup_old_database_backups(
    max_backups: int = 10, directory: Path | None = None, service_name: str | None = None
) -> int:
    """Remove all but the newest backups, by the timestamps in their names.

    Args:
        max_backups: number of backups that stay.
        directory: by default `backups` in `DATA_DIR`.
        service_name: whose backups; by default those of this process's service.

    Returns:
        The number of removed files.

    Raises:
        ValueError: the number is negative.
    """
    if max_backups < 0:
        raise ValueError(f"max_backups is {max_backups}, but must be 0 or more.")
    directory = TelemetrySettings.read().data_dir / BACKUP_DIRECTORY if directory is None else directory
    name = service_name or _service_name
    made_at = {entry.name: made for entry in _regular_files(directory) if (made := _made_at(entry.name, name))}
    newest_first = sorted(made_at, key=made_at.__getitem__, reverse=True)
    return _remove(directory / name for name in newest_first[max_backups:])


def _made_at(name: str, service_name: str) -> tuple[str, int] | None:
    """When the backup was made, and its number within that second. None for a name that is no backup's."""
    match = re.fullmatch(re.escape(service_name) + _BACKUP_SUFFIX, name)
    return (match[1], int(match[2] or 1)) if match else None


def _regular_files(directory: Path) -> list[os.DirEntry[str]]:
    """Regular files of the directory. Links are left out: we make none."""
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        _log.warning("%s cannot be cleaned up (%s).", directory, error.strerror)
        return []


def _written_before(entry: os.DirEntry[str], cutoff: datetime) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < cutoff.timestamp()
    except FileNotFoundError:
        return False  # another process has rotated it, or is cleaning up as well


def _remove(paths: Iterable[Path]) -> int:
    removed = 0
    for path in paths:
        try:
            path.unlink()
            removed += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            _log.warning("%s cannot be removed (%s); the rest is.", path, error.strerror)
    return removed
