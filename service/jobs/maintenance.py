"""Housekeeping: what the service does for itself on a schedule. Each function returns what its run should say."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL, Engine

from service.database.backup import backup_database
from service.scheduler.monitoring import missed_runs
from service.settings import Settings
from telemetry.alerts import AlertService
from telemetry.jobs import JobRunRepository, Retention
from telemetry.logs import cleanup_old_database_backups, cleanup_old_logs

KEEP_LOGS_DAYS: Final = 30
KEEP_BACKUPS: Final = 10


def clean_logs(log_dir: Path, now: datetime) -> dict[str, Any]:
    return {"removed": cleanup_old_logs(KEEP_LOGS_DAYS, log_dir, now, Settings.service_name)}


def back_up_database(url: URL, directory: Path, now: datetime) -> dict[str, Any]:
    """Back up, and only then remove all but the newest ten.

    Raises:
        BackupFailed: there is no new backup; the old ones are all still there.
    """
    backup = backup_database(url, directory, now)
    removed = cleanup_old_database_backups(KEEP_BACKUPS, directory, Settings.service_name)
    return {"backup": backup.name, "bytes": backup.stat().st_size, "removed": removed}


def prune_job_runs(store: JobRunRepository, engine: Engine, keep_days: int, now: datetime) -> dict[str, Any]:
    """Roll up the past days, and then delete the runs, and what is known of missed ones, that are older than the days to keep."""
    pruned = Retention(engine).prune(store.names(), keep_days, now)
    return {
        "removed": pruned.runs,
        "days_rolled_up": pruned.days_rolled_up,
        "longest_batch_seconds": pruned.longest_batch_seconds,
        "missed_removed": missed_runs.prune(engine, now - timedelta(days=keep_days)),
    }


def check_resources(alerts: AlertService) -> dict[str, Any]:
    """What is over its threshold; what stays so is alerted."""
    return {"findings": alerts.check_system_resources()}
