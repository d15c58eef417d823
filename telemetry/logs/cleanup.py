"""Clean-up: old rotated logs and superfluous database backups go; nothing goes that we did not make."""

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
_BACKUP: Final = r"-([0-9]{8}T[0-9]{6}Z)(?:-([0-9]+))?\.(?:db|dump)"
_log = logging.getLogger(__name__)
_service_name = TelemetrySettings.service_name


def set_service_name(name: str) -> None:
    """The service whose files are cleaned up by this process where no other is named."""
    global _service_name  # noqa: PLW0603  # one for a process, as the logging itself
    _service_name = name


def cleanup_old_logs(
    max_age_days: float = 30, log_dir: Path | None = None, now: datetime | None = None, service_name: str | None = None
) -> int:
    """Remove rotated logs that were last written to longer ago than that. Returns how many.

    The files in use stay, however old. Without a directory it is `LOG_DIR`.

    Raises:
        ValueError: a negative age, which would be all of them.
    """
    if max_age_days < 0:
        raise ValueError(f"max_age_days is {max_age_days}, but must be 0 or more.")
    directory = TelemetrySettings.read().log_dir if log_dir is None else log_dir
    oldest = (now or datetime.now(UTC)) - timedelta(days=max_age_days)
    rotated = (entry for entry in _files(directory) if is_rotated(entry.name, service_name or _service_name))
    return _remove(Path(entry) for entry in rotated if _written_before(entry, oldest))


def cleanup_old_database_backups(
    max_backups: int = 10, directory: Path | None = None, service_name: str | None = None
) -> int:
    """Remove all but the newest backups, by the moments in their names. Returns how many.

    Without a directory it is `backups` in `DATA_DIR`.

    Raises:
        ValueError: a negative number.
    """
    if max_backups < 0:
        raise ValueError(f"max_backups is {max_backups}, but must be 0 or more.")
    directory = TelemetrySettings.read().data_dir / BACKUP_DIRECTORY if directory is None else directory
    name = service_name or _service_name
    made = {entry.name: age for entry in _files(directory) if (age := _made_at(entry.name, name))}
    newest_first = sorted(made, key=made.__getitem__, reverse=True)
    return _remove(directory / name for name in newest_first[max_backups:])


def _made_at(name: str, service_name: str) -> tuple[str, int] | None:
    """When the backup of that name was made, and which of that second; None if it is no backup's name."""
    match = re.fullmatch(re.escape(service_name) + _BACKUP, name)
    return (match[1], int(match[2] or 1)) if match else None


def _files(directory: Path) -> list[os.DirEntry[str]]:
    """Regular files; a link is somebody else's, whatever it is called."""
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        _log.warning("%s cannot be cleaned up (%s).", directory, error.strerror)
        return []


def _written_before(entry: os.DirEntry[str], moment: datetime) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < moment.timestamp()
    except FileNotFoundError:
        return False  # another process has rotated, or cleans up as well


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
