"""The rule for jobs: failures in a row fire a condition, and the next success resolves it and those of missed and overdue runs."""

import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.maintenance import INHIBITION_WINDOW
from telemetry.alerts.rules.condition import Condition, fire, resolve
from telemetry.durations import format_timestamp
from telemetry.jobs.statistics.failure_streaks import Failure, FailureStreak
from telemetry.semconv import DATABASE_COMPONENT
from telemetry.settings import JOBS_COMPONENT

FAILING: Final = "job:"
MISSED: Final = "missed:"
OVERDUE: Final = "overdue:"
Streaks = Callable[[], Iterable[FailureStreak]]


class JobFailuresRule:
    """Failures during a database outage do not count. Of several machines, the one that ran the last failure needed fires."""

    def __init__(
        self,
        streaks: Streaks,
        incidents: IncidentRepository,
        threshold: int,
        host: str | None = None,
        component: str = JOBS_COMPONENT,
    ) -> None:
        self._streaks = streaks
        self._incidents = incidents
        self._threshold = threshold
        self._component = component
        self._host = host or socket.gethostname()
        self._failure_counts: dict[str, int] = {}

    def evaluate(self) -> None:
        """Fire and resolve the conditions of all jobs.

        Raises:
            SQLAlchemyError, sqlite3.Error: the database or the outbox is unavailable.
        """
        streaks = list(self._streaks())
        open_conditions = self._incidents.open_conditions()
        first_failures = [each.failures[0].ended_at.timestamp() for each in streaks if each.failures]
        outages = self._incidents.periods(DATABASE_COMPONENT, min(first_failures, default=0.0) - INHIBITION_WINDOW)
        for streak in streaks:
            self._evaluate_streak(
                streak, _outside(streak.failures, outages), is_open=FAILING + streak.job_name in open_conditions
            )
            for kind, since in ((MISSED, streak.last_success), (OVERDUE, streak.last_end)):
                incident = open_conditions.get(kind + streak.job_name)
                if incident is not None and since is not None and since.timestamp() > incident.last_at:
                    resolve(Condition(incident.state, incident.level, incident.component, incident.summary))

    def _evaluate_streak(self, streak: FailureStreak, failures: list[Failure], *, is_open: bool) -> None:
        if not failures:
            if is_open and not streak.runs:
                resolve(
                    Condition(
                        FAILING + streak.job_name,
                        AlertLevel.ERROR,
                        self._component,
                        f"Job '{streak.job_name}' works again.",
                    )
                )
            return
        previous = self._failure_counts.setdefault(streak.job_name, len(failures))
        self._failure_counts[streak.job_name] = len(failures)
        is_due = len(failures) >= self._threshold and self._is_ours(failures[self._threshold - 1])
        if len(failures) > previous if is_open else is_due:
            self._fire(streak, failures)

    def _is_ours(self, failure: Failure) -> bool:
        return failure.worker.rpartition(":")[0] == self._host

    def _fire(self, streak: FailureStreak, failures: list[Failure]) -> None:
        fire(
            Condition(
                FAILING + streak.job_name,
                AlertLevel.ERROR,
                self._component,
                summary(streak, failures),
                facts(streak, failures),
                failures[-1].run_id,
            )
        )


def summary(streak: FailureStreak, failures: list[Failure]) -> str:
    return f"Job '{streak.job_name}' failed:\n{failures[-1].error or failures[-1].outcome}"


def facts(streak: FailureStreak, failures: list[Failure]) -> dict[str, str]:
    last = failures[-1]
    more = "or more " if streak.is_truncated else ""
    return {
        "Failures": f"{len(failures)} {more}in a row, since {format_timestamp(failures[0].ended_at.timestamp())}",
        **({"First failed": last.first_error} if last.first_error else {}),
        "Last success": format_timestamp(streak.last_success.timestamp()) if streak.last_success else "never",
    }


def _outside(failures: list[Failure], outages: Iterable[tuple[float, float | None]]) -> list[Failure]:
    windows = [
        (
            first - INHIBITION_WINDOW,
            datetime.max.replace(tzinfo=UTC).timestamp() if last is None else last + INHIBITION_WINDOW,
        )
        for first, last in outages
    ]
    return [
        failure
        for failure in failures
        if not any(first <= failure.ended_at.timestamp() <= last for first, last in windows)
    ]
