"""Logs: one way for every line, whoever logs it; files that several processes share; and what clears up behind them."""

from telemetry.logs.cleanup import BACKUP_DIRECTORY, cleanup_old_database_backups, cleanup_old_logs
from telemetry.logs.filters import mark_reported
from telemetry.logs.setup import setup_logging

__all__ = [
    "BACKUP_DIRECTORY",
    "cleanup_old_database_backups",
    "cleanup_old_logs",
    "mark_reported",
    "setup_logging",
]
