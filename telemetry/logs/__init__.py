"""Logging: the same handlers and formats for every logger, files shared by several processes, and their clean-up."""

from telemetry.logs.cleanup import BACKUP_DIRECTORY, cleanup_old_database_backups, cleanup_old_logs
from telemetry.logs.excepthook import report_uncaught
from telemetry.logs.reported_errors import mark_reported
from telemetry.logs.setup import setup_logging

__all__ = [
    "BACKUP_DIRECTORY",
    "cleanup_old_database_backups",
    "cleanup_old_logs",
    "mark_reported",
    "report_uncaught",
    "setup_logging",
]
