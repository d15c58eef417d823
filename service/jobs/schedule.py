"""The schedule, as data: each job, how often it runs, and what it does.

A new job is one line in `JOBS`. It is recorded, measured, listed and claimed like every other, with nothing to call.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from service.jobs import maintenance, sync
from service.jobs.advice import generate_advice
from service.names import OPENAI, OZON, WB
from service.scheduler.cadence import DailyAt, Every
from service.scheduler.job import Job
from service.settings import Settings
from telemetry.alerts import get_alert_service
from telemetry.logs import BACKUP_DIRECTORY


def _now() -> datetime:
    return datetime.now(UTC)


def _requires(service: str) -> Callable[[Settings], str | None]:
    """Makes the reason why a job that calls this service cannot run; None when it can."""

    def missing(settings: Settings) -> str | None:
        unset = settings.unconfigured().get(service)
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
        _requires(WB),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_wb_orders",
        Every(timedelta(minutes=30)),
        sync.sync_wb_orders,
        _requires(WB),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "sync_ozon_reviews",
        Every(timedelta(minutes=15)),
        sync.sync_ozon_reviews,
        _requires(OZON),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_ozon_orders",
        Every(timedelta(minutes=30)),
        sync.sync_ozon_orders,
        _requires(OZON),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "generate_advice",
        Every(timedelta(minutes=5)),
        generate_advice,
        _requires(OPENAI),
        catches_up=True,
        in_sandbox=Every(timedelta(seconds=15)),
        max_runtime=timedelta(minutes=10),
    ),
)
