"""The schedule, as data: each job, how often it runs, and what it does.

A new job is one line in `JOBS`. It is recorded, measured, listed and claimed like every other, with nothing to call.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from service.jobs import maintenance, sync
from service.jobs.advice import generate_advice
from service.scheduler.cadence import DailyAt, Every
from service.scheduler.job import Job
from service.settings import Settings
from telemetry.alerts.service import get_alert_service
from telemetry.logs.cleanup import BACKUP_DIRECTORY


def _now() -> datetime:
    return datetime.now(UTC)


def _wants(*variables: str) -> Callable[[Settings], str | None]:
    """Why a job can't run: the variables of these that are not set."""

    def missing(settings: Settings) -> str | None:
        unset = [name for name in variables if getattr(settings, name.lower()) is None]
        return f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set." if unset else None

    return missing


JOBS: Final[tuple[Job, ...]] = (
    Job(
        "check_resources",
        Every(timedelta(minutes=1)),
        lambda _c: maintenance.check_resources(get_alert_service()),
        max_runtime=timedelta(minutes=1),
    ),
    Job(
        "cleanup_logs",
        DailyAt(2, 40),
        lambda c: maintenance.clean_logs(c.settings.log_dir, _now()),
        max_runtime=timedelta(minutes=10),
    ),
    Job(
        "backup_database",
        DailyAt(3, 10),
        lambda c: maintenance.back_up_database(c.engine.url, c.settings.data_dir / BACKUP_DIRECTORY, _now()),
        max_runtime=timedelta(hours=1),
    ),
    Job(
        "prune_job_runs",
        DailyAt(3, 40),
        lambda c: maintenance.prune_job_runs(c.store, c.engine, c.settings.job_runs_keep_days, _now()),
        max_runtime=timedelta(hours=1),
    ),
    Job(
        "sync_wb_reviews",
        Every(timedelta(minutes=15)),
        sync.sync_wb_reviews,
        _wants("WB_API_TOKEN"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_wb_orders",
        Every(timedelta(minutes=30)),
        sync.sync_wb_orders,
        _wants("WB_API_TOKEN"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "sync_ozon_reviews",
        Every(timedelta(minutes=15)),
        sync.sync_ozon_reviews,
        _wants("OZON_CLIENT_ID", "OZON_API_KEY"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_ozon_orders",
        Every(timedelta(minutes=30)),
        sync.sync_ozon_orders,
        _wants("OZON_CLIENT_ID", "OZON_API_KEY"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "generate_advice",
        Every(timedelta(minutes=5)),
        generate_advice,
        _wants("OPENAI_API_KEY", "OPENAI_MODEL"),
        catches_up=True,
        in_sandbox=Every(timedelta(seconds=15)),
        max_runtime=timedelta(minutes=10),
    ),
)
