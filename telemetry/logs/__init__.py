"""Logging: the same handlers and formats for every logger, files shared by several processes, and their clean-up."""

from telemetry.logs.cleanup import cleanup_old_database_backups, cleanup_old_logs
from telemetry.logs.setup import setup_logging

__all__ = ["cleanup_old_database_backups", "cleanup_old_logs", "setup_logging"]
