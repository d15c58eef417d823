"""The schedule, as data: each job, how often it runs, and what it does.

A new job is one line in `JOBS`. It is recorded, measured, listed and claimed like every other, with nothing to call.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from service import business, housekeeping
from service.cadence import Cadence, DailyAt, Every
from service.context import Context
from service.settings import Settings
from telemetry.alerts.service import get_alert_service
from telemetry.logs.cleanup import BACKUPS

Metadata = Mapping[str, Any]
START_GRACE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it returns goes into its run's metadata.

    Attributes:
        missing: names the variables without which it can't run.
        catches_up: a tick that nobody ran, since nobody was there, is run at the start.
        overlaps: a tick runs although the run before it goes on.
        in_sandbox: its cadence where the outside world is a sandbox, and somebody watches.
        start_grace: how long after its tick a run may begin; one that has not by then is missed.
        max_runtime: how long a run may go on; one that does so for longer is said to be overdue while it runs.
    """

    name: str
    cadence: Cadence
    run: Callable[[Context], Metadata]
    missing: Callable[[Settings], str | None] = lambda _settings: None
    catches_up: bool = False
    overlaps: bool = False
    in_sandbox: Cadence | None = None
    start_grace: timedelta = START_GRACE
    max_runtime: timedelta | None = None


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
        lambda _c: housekeeping.check_resources(get_alert_service()),
        max_runtime=timedelta(minutes=1),
    ),
    Job(
        "cleanup_logs",
        DailyAt(2, 40),
        lambda c: housekeeping.clean_logs(c.settings.log_dir, _now()),
        max_runtime=timedelta(minutes=10),
    ),
    Job(
        "backup_database",
        DailyAt(3, 10),
        lambda c: housekeeping.back_up_database(c.engine.url, c.settings.data_dir / BACKUPS, _now()),
        max_runtime=timedelta(hours=1),
    ),
    Job(
        "prune_job_runs",
        DailyAt(3, 40),
        lambda c: housekeeping.prune_job_runs(c.store, c.engine, c.settings.job_runs_keep_days, _now()),
        max_runtime=timedelta(hours=1),
    ),
    Job(
        "sync_wb_reviews",
        Every(timedelta(minutes=15)),
        business.sync_wb_reviews,
        _wants("WB_API_TOKEN"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_wb_orders",
        Every(timedelta(minutes=30)),
        business.sync_wb_orders,
        _wants("WB_API_TOKEN"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "sync_ozon_reviews",
        Every(timedelta(minutes=15)),
        business.sync_ozon_reviews,
        _wants("OZON_CLIENT_ID", "OZON_API_KEY"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=1)),
        max_runtime=timedelta(minutes=15),
    ),
    Job(
        "sync_ozon_orders",
        Every(timedelta(minutes=30)),
        business.sync_ozon_orders,
        _wants("OZON_CLIENT_ID", "OZON_API_KEY"),
        catches_up=True,
        in_sandbox=Every(timedelta(minutes=2)),
        max_runtime=timedelta(minutes=30),
    ),
    Job(
        "generate_advice",
        Every(timedelta(minutes=5)),
        business.generate_advice,
        _wants("OPENAI_API_KEY", "OPENAI_MODEL"),
        catches_up=True,
        in_sandbox=Every(timedelta(seconds=15)),
        max_runtime=timedelta(minutes=10),
    ),
)


class UnknownJob(LookupError):
    """There is no job of that name; the message says which there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no job {name!r}. There are: {', '.join(sorted(known))}.")


class Schedule:
    """The jobs of this service, and which of them can run with its settings."""

    def __init__(self, settings: Settings, jobs: Iterable[Job] = JOBS) -> None:
        self.jobs = tuple(_at_its_pace(job, settings) for job in jobs)
        self._missing = {job.name: job.missing(settings) for job in self.jobs}

    def get(self, name: str) -> Job:
        for job in self.jobs:
            if job.name == name:
                return job
        raise UnknownJob(name, (job.name for job in self.jobs))

    def missing(self, job: Job) -> str | None:
        """Why a job is not scheduled, as a sentence; None for one that is."""
        return self._missing[job.name]

    def scheduled(self) -> list[Job]:
        return [job for job in self.jobs if self._missing[job.name] is None]


def _at_its_pace(job: Job, settings: Settings) -> Job:
    return replace(job, cadence=job.in_sandbox) if settings.sandbox and job.in_sandbox else job
