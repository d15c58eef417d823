"""Jobs: one that fails too often in a row, that missed a run or goes on for too long, as states that its next success ends."""

import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.maintenance import INHIBITION_WINDOW
from telemetry.alerts.rules.condition import Condition, begin, end
from telemetry.durations import format_timestamp
from telemetry.jobs.statistics.failure_streaks import Failure, FailureStreak
from telemetry.semconv import DATABASE_COMPONENT
from telemetry.settings import JOBS_COMPONENT

FAILING: Final = "job:"
MISSED: Final = "missed:"
OVERDUE: Final = "overdue:"
Streaks = Callable[[], Iterable[FailureStreak]]


class JobFailuresRule:
    """Failures while the database was away are its fault. Of several machines, the one that ran the failure that is one too many tells."""

    def __init__(
        self,
        streaks: Streaks,
        reports: IncidentRepository,
        threshold: int,
        host: str | None = None,
        component: str = JOBS_COMPONENT,
    ) -> None:
        self._streaks = streaks
        self._reports = reports
        self._threshold = threshold
        self._component = component
        self._host = host or socket.gethostname()
        self._told: dict[str, int] = {}

    def look(self) -> None:
        """Raises:
        SQLAlchemyError, sqlite3.Error: the database, or the outbox, cannot be asked.
        """
        streaks = list(self._streaks())
        open_states = self._reports.open_states()
        begun = [each.failures[0].ended_at.timestamp() for each in streaks if each.failures]
        away = self._reports.times_of(DATABASE_COMPONENT, min(begun, default=0.0) - INHIBITION_WINDOW)
        for streak in streaks:
            self._judge(streak, _apart_from(streak.failures, away), is_open=FAILING + streak.job_name in open_states)
            for kind, since in ((MISSED, streak.last_success), (OVERDUE, streak.last_end)):
                told = open_states.get(kind + streak.job_name)
                if told is not None and since is not None and since.timestamp() > told.last_at:
                    end(Condition(told.state, told.level, told.component, told.words))

    def _judge(self, streak: FailureStreak, failures: list[Failure], *, is_open: bool) -> None:
        if not failures:
            if is_open and not streak.failures:
                end(
                    Condition(
                        FAILING + streak.job_name,
                        AlertLevel.ERROR,
                        self._component,
                        f"Job '{streak.job_name}' works again.",
                    )
                )
            return
        known = self._told.setdefault(streak.job_name, len(failures))
        self._told[streak.job_name] = len(failures)
        is_due = len(failures) >= self._threshold and self._is_ours(failures[self._threshold - 1])
        if len(failures) > known if is_open else is_due:
            self._tell(streak, failures)

    def _is_ours(self, failure: Failure) -> bool:
        return failure.worker.rpartition(":")[0] == self._host

    def _tell(self, streak: FailureStreak, failures: list[Failure]) -> None:
        begin(
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
    more = "or more " if streak.is_longer else ""
    return {
        "Failures": f"{len(failures)} {more}in a row, since {format_timestamp(failures[0].ended_at.timestamp())}",
        **({"First failed": last.first_error} if last.first_error else {}),
        "Last success": format_timestamp(streak.last_success.timestamp()) if streak.last_success else "never",
    }


def _apart_from(failures: list[Failure], away: Iterable[tuple[float, float | None]]) -> list[Failure]:
    times = [
        (
            first - INHIBITION_WINDOW,
            datetime.max.replace(tzinfo=UTC).timestamp() if last is None else last + INHIBITION_WINDOW,
        )
        for first, last in away
    ]
    return [
        failure
        for failure in failures
        if not any(first <= failure.ended_at.timestamp() <= last for first, last in times)
    ]
