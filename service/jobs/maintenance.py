"""Maintenance jobs: log and backup cleanup, backups, retention of job runs, resource checks.

Each function returns the metadata of its run.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import URL, Engine

from service.database.backup import backup_database
from service.jobs.costs.cost_report import prune_costs
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
    """Back up the database, and only then delete all but the newest ten backups.

    Raises:
        BackupFailed: there is no new backup; no old one was deleted.
    """
    backup = backup_database(url, directory, now)
    removed = cleanup_old_database_backups(KEEP_BACKUPS, directory, Settings.service_name)
    return {"backup": backup.name, "bytes": backup.stat().st_size, "removed": removed}


def prune_job_runs(store: JobRunRepository, engine: Engine, keep_days: int, now: datetime) -> dict[str, Any]:
    """Roll up the past days, then delete job runs and missed runs that are older than `keep_days`, and costs of two years ago."""
    pruned = Retention(engine).prune(store.names(), keep_days, now)
    return {
        "removed": pruned.runs,
        "days_rolled_up": pruned.days_rolled_up,
        "longest_batch_seconds": pruned.longest_batch_seconds,
        "costs_removed": prune_costs(engine, now),
        "missed_removed": missed_runs.prune(engine, now - timedelta(days=keep_days)),
    }


def check_resources(alerts: AlertService) -> dict[str, Any]:
    """List the resources that are over their threshold. The alert service alerts about those that stay so."""
    return {"findings": alerts.check_system_resources()}
