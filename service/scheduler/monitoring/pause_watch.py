"""Watches the paused jobs: the gauge `job_paused`, and an alert once a day about a job that stays paused."""

import logging
from collections.abc import Iterable
from datetime import datetime

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from sqlalchemy.engine import Engine

from service.names import JOB_PAUSED, SCHEDULER_COMPONENT, AlertSection
from service.scheduler.job import Schedule
from service.scheduler.monitoring.notices import format_utc
from service.scheduler.pauses import Pause, claim_reminder, due_reminders, read_pauses
from telemetry import semconv
from telemetry.alerts import AlertLevel
from telemetry.database import transaction

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # `LOG_LEVEL` does not apply to alerts


class PauseWatch:
    """Reads the paused jobs at each check. The gauge shows what was read last, so no scrape waits for the database."""

    def __init__(self, schedule: Schedule, engine: Engine) -> None:
        self._names = frozenset(job.name for job in schedule.jobs)
        self._scheduled = [job.name for job in schedule.scheduled()]
        self._engine = engine
        self._paused: frozenset[str] | None = None

    def check(self, now: datetime) -> None:
        """Read the paused jobs, and alert about those that have been paused for a day, once a day.

        Raises:
            SQLAlchemyError: the database is unavailable.
        """
        with transaction(self._engine) as session:
            self._paused = frozenset(read_pauses(session))
            due = due_reminders(session, now)
        for name in due:
            if name in self._names:
                self._remind(name, now)

    def _remind(self, name: str, now: datetime) -> None:
        """Alerts before the commit: a crash in between repeats an alert, and loses none."""
        with transaction(self._engine) as session:
            if (pause := claim_reminder(session, name, now)) is not None:
                log_paused(name, pause)

    def observe(self, meter: Meter) -> None:
        meter.create_observable_gauge(JOB_PAUSED, [self._observations], "1", "1 while a person has paused the job.")

    def _observations(self, _options: CallbackOptions) -> Iterable[Observation]:
        if (paused := self._paused) is None:
            return ()
        return [Observation(int(name in paused), {semconv.JOB_NAME: name}) for name in self._scheduled]


def log_paused(name: str, pause: Pause) -> None:
    """One alert for each job: repeats of an alert are those of the same job."""
    text = f"{name} has been paused since {format_utc(pause.since)} by {pause.by}: {pause.reason}"
    attributes = {
        semconv.COMPONENT: SCHEDULER_COMPONENT,
        semconv.ALERT_LEVEL: str(AlertLevel.WARNING),
        semconv.ALERT_SECTION: AlertSection.JOB_PAUSED,
        semconv.JOB_NAME: name,
    }
    _log.warning(
        "%s\nResume it by POST /jobs/%s/resume, or on the console's page of jobs.", text, name, extra=attributes
    )
