"""Jobs: one that fails too often in a row, that missed a run or goes on for too long, as states that its next success ends."""

import socket
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.outbox.incidents import Reports
from telemetry.alerts.outbox.maintenance import AROUND
from telemetry.alerts.rules.condition import State, begin, end
from telemetry.durations import moment
from telemetry.jobs.statistics.failure_streaks import Failure, Streak
from telemetry.semconv import DATABASE

COMPONENT: Final = "scheduler"
FAILING: Final = "job:"
MISSED: Final = "missed:"
OVERDUE: Final = "overdue:"
Streaks = Callable[[], Iterable[Streak]]


class JobsLook:
    """Failures while the database was away are its fault. Of several machines, the one that ran the failure that is one too many tells."""

    def __init__(self, streaks: Streaks, reports: Reports, threshold: int, host: str | None = None) -> None:
        self._streaks = streaks
        self._reports = reports
        self._threshold = threshold
        self._host = host or socket.gethostname()
        self._told: dict[str, int] = {}

    def look(self) -> None:
        """Raises:
        SQLAlchemyError, sqlite3.Error: the database, or the outbox, cannot be asked.
        """
        streaks = list(self._streaks())
        open_states = self._reports.open_states()
        begun = [each.failures[0].ended_at.timestamp() for each in streaks if each.failures]
        away = self._reports.times_of(DATABASE, min(begun, default=0.0) - AROUND)
        for streak in streaks:
            self._judge(streak, _apart_from(streak.failures, away), is_open=FAILING + streak.job_name in open_states)
            for kind, since in ((MISSED, streak.last_success), (OVERDUE, streak.last_end)):
                told = open_states.get(kind + streak.job_name)
                if told is not None and since is not None and since.timestamp() > told.last_at:
                    end(State(told.state, told.level, told.component, told.words))

    def _judge(self, streak: Streak, failures: list[Failure], *, is_open: bool) -> None:
        if not failures:
            if is_open and not streak.failures:
                end(
                    State(
                        FAILING + streak.job_name, AlertLevel.ERROR, COMPONENT, f"Job '{streak.job_name}' works again."
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

    def _tell(self, streak: Streak, failures: list[Failure]) -> None:
        begin(
            State(
                FAILING + streak.job_name,
                AlertLevel.ERROR,
                COMPONENT,
                words(streak, failures),
                facts(streak, failures),
                failures[-1].run_id,
            )
        )


def words(streak: Streak, failures: list[Failure]) -> str:
    return f"Job '{streak.job_name}' failed:\n{failures[-1].error or failures[-1].outcome}"


def facts(streak: Streak, failures: list[Failure]) -> dict[str, str]:
    last = failures[-1]
    more = "or more " if streak.is_longer else ""
    return {
        "Failures": f"{len(failures)} {more}in a row, since {moment(failures[0].ended_at.timestamp())}",
        **({"First failed": last.first_error} if last.first_error else {}),
        "Last success": moment(streak.last_success.timestamp()) if streak.last_success else "never",
    }


def _apart_from(failures: list[Failure], away: Iterable[tuple[float, float | None]]) -> list[Failure]:
    times = [
        (first - AROUND, datetime.max.replace(tzinfo=UTC).timestamp() if last is None else last + AROUND)
        for first, last in away
    ]
    return [
        failure
        for failure in failures
        if not any(first <= failure.ended_at.timestamp() <= last for first, last in times)
    ]
