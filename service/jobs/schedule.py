"""The schedule as data: each job, its cadence, and its function.

A new job is one entry in `JOBS`. Recording, metrics, listing and claiming need no further code.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from service.database.clock import utcnow
from service.jobs import maintenance, sync
from service.jobs.advice import generate_advice
from service.names import OPENAI, OZON, WB
from service.scheduler.cadence import DailyAt, Every
from service.scheduler.job import Job
from service.settings import Settings
from telemetry.alerts import get_alert_service
from telemetry.logs import BACKUP_DIRECTORY


def _requires(service: str) -> Callable[[Settings], str | None]:
    """For `Job.missing`: why a job that calls this service cannot run; None if it can."""

    def missing(settings: Settings) -> str | None:
        unset = settings.unconfigured().get(service)
        return f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set." if unset else None

    return missing


DRAFTING_JOB: Final = "generate_advice"
JOBS: Final[tuple[Job, ...]] = (
    Job(
        "check_resources",
        Every(timedelta(minutes=1)),
        lambda _context: maintenance.check_resources(get_alert_service()),
        max_runtime=timedelta(minutes=1),
    ),
    Job(
        "cleanup_logs",
        DailyAt(2, 40),
        lambda context: maintenance.clean_logs(context.settings.log_dir, utcnow()),
        max_runtime=timedelta(minutes=10),
    ),
    Job(
        "backup_database",
        DailyAt(3, 10),
        lambda context: maintenance.back_up_database(
            context.engine.url, context.settings.data_dir / BACKUP_DIRECTORY, utcnow()
        ),
        max_runtime=timedelta(hours=1),
    ),
    Job(
        "prune_job_runs",
        DailyAt(3, 40),
        lambda context: maintenance.prune_job_runs(
            context.store, context.engine, context.settings.job_runs_keep_days, utcnow()
        ),
        max_runtime=timedelta(hours=1),
    ),
    Job(
        "sync_wb_reviews",
        Every(timedelta(minutes=15)),
        sync.sync_wb_reviews,
        _requires(WB),
        catches_up=True,
        sandbox_cadence=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_wb_orders",
        Every(timedelta(minutes=30)),
        sync.sync_wb_orders,
        _requires(WB),
        catches_up=True,
        sandbox_cadence=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "sync_ozon_reviews",
        Every(timedelta(minutes=15)),
        sync.sync_ozon_reviews,
        _requires(OZON),
        catches_up=True,
        sandbox_cadence=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_ozon_orders",
        Every(timedelta(minutes=30)),
        sync.sync_ozon_orders,
        _requires(OZON),
        catches_up=True,
        sandbox_cadence=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        DRAFTING_JOB,
        Every(timedelta(minutes=5)),
        generate_advice,
        _requires(OPENAI),
        catches_up=True,
        sandbox_cadence=Every(timedelta(seconds=15)),
        max_runtime=timedelta(minutes=10),
    ),
)
