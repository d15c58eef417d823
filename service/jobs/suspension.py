"""Jobs that are switched off, because a service does not let the seller use what they need. They try again once a day.

The state is in the database, so that it survives restarts. A run of a job that is off ends at once, and says so.
"""

import logging
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Engine

from service.database.schedule_tables import JobSuspensionRow
from service.database.upsert import insert_into
from service.integrations.http.errors import SubscriptionMissing
from service.names import AlertSection
from service.scheduler.job import Skipped
from telemetry import semconv
from telemetry.database import transaction

RETRY_INTERVAL: Final = timedelta(days=1)
_MAX_REASON_LENGTH: Final = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why and since when a job is switched off. Its first run at or after `retry_at` tries again."""

    reason: str
    since: datetime
    retry_at: datetime

    def is_active(self, now: datetime) -> bool:
        """A later time than a day from now is from before the clock was set back."""
        return now < self.retry_at <= now + RETRY_INTERVAL

    def __str__(self) -> str:
        return f"Switched off since {self.since:%Y-%m-%d %H:%M} UTC, tried again daily: {self.reason}"


def suspensions(engine: Engine) -> dict[str, Suspension]:
    """The jobs that are switched off, by name."""
    with transaction(engine) as session:
        rows = session.scalars(select(JobSuspensionRow)).all()
    return {row.job_name: Suspension(row.reason, row.since, row.retry_at) for row in rows}


class JobSwitch:
    """Switches one job off and on."""

    def __init__(self, engine: Engine, job_name: str, component: str, now: Callable[[], datetime]) -> None:
        """`component` is that of the alert."""
        self._engine = engine
        self._job_name = job_name
        self._component = {"component": component}
        self._now = now

    def run(
        self, sync: Callable[[], Mapping[str, Any]], progress: MutableMapping[str, Any], *, retry: bool = False
    ) -> Mapping[str, Any]:
        """Run the sync, unless the job is off. It is switched off if the subscription is missing and nothing was read.

        Args:
            sync: the job's work. Its metadata are returned.
            progress: the metadata so far; `pages` is what was read.
            retry: run it also if the job is off.
        """
        suspension = suspensions(self._engine).get(self._job_name)
        if suspension and not retry and suspension.is_active(self._now()):
            return _skipped(suspension)
        try:
            metadata = sync()
        except Exception as error:
            missing = _subscription_missing(error)
            if missing is None or progress.get("pages"):
                raise
            return _skipped(self._switch_off(missing.sentence))
        if suspension:
            self._switch_on()
        return metadata

    def _switch_off(self, reason: str) -> Suspension:
        """Sends an alert, unless the job is off already."""
        reason, now = reason[:_MAX_REASON_LENGTH], self._now()
        state = {"reason": reason, "retry_at": now + RETRY_INTERVAL}
        with transaction(self._engine) as session:
            insert = insert_into(session, JobSuspensionRow).values(job_name=self._job_name, since=now, **state)
            new = session.scalar(insert.on_conflict_do_nothing().returning(JobSuspensionRow.job_name)) is not None
            row = JobSuspensionRow
            session.execute(update(row).where(row.job_name == self._job_name).values(**state))
        if new:
            log_switched_off(self._job_name, reason, self._component)
        return suspensions(self._engine)[self._job_name]

    def _switch_on(self) -> None:
        with transaction(self._engine) as session:
            session.execute(delete(JobSuspensionRow).where(JobSuspensionRow.job_name == self._job_name))
        _log.info("The job %s is on again.", self._job_name, extra=self._component)


def log_switched_off(job_name: str, reason: str, component: Mapping[str, str]) -> None:
    extra = {**component, semconv.ALERT_SECTION: str(AlertSection.JOB_SWITCHED_OFF)}
    _log.error("The job %s is switched off, and tried again once a day: %s", job_name, reason, extra=extra)


def _skipped(suspension: Suspension) -> Skipped:
    """The metadata of a run that did nothing."""
    return Skipped(reason=str(suspension))


def _subscription_missing(error: BaseException) -> SubscriptionMissing | None:
    """The error itself, or the first of its kind in a group."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_subscription_missing, error.exceptions)), None)
    return error if isinstance(error, SubscriptionMissing) else None
