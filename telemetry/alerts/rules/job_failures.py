"""The rule for jobs: failures in a row fire a condition, and the next success resolves it and those of missed and overdue runs."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident import Incident
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.maintenance import INHIBITION_WINDOW
from telemetry.alerts.rendering.buttons import FAILING_JOB
from telemetry.alerts.rules import job_alerts
from telemetry.alerts.rules.condition import Condition, ConditionPeriod, fire, resolve
from telemetry.alerts.rules.job_alerts import MISSED, OVERDUE
from telemetry.environment.runbook import RunbookSection
from telemetry.jobs.statistics.failure_streaks import Failure, FailureStreak
from telemetry.jobs.store.failure_alerts import CLAIM_LENGTH, FailureClaim
from telemetry.semconv import DATABASE_COMPONENT
from telemetry.settings import JOBS_COMPONENT

FAILING: Final = FAILING_JOB
Streaks = Callable[[], Iterable[FailureStreak]]


class JobAlertClaims(Protocol):
    """What the machines agree on in the database."""

    def read(self) -> Mapping[str, FailureClaim]: ...
    def claim(self, job_name: str, last_success: datetime | None) -> bool: ...
    def renew(self, job_name: str, last_success: datetime | None) -> None: ...
    def mark_told(self, job_name: str, last_success: datetime | None) -> None: ...


@dataclass(frozen=True, slots=True)
class JobAlertDelivery:
    """Of several machines, one tells: which, the claims say. `can_send` is whether a channel of this one takes messages.

    A machine that cannot send keeps an alert of its own, to be shown and in case that it can, and claims nothing.
    """

    claims: JobAlertClaims
    can_send: Callable[[], bool]
    clock: Callable[[], float] = time.time


class JobFailuresRule:
    """Failures during a database outage do not count. The machine that sees the last failure needed first fires, once for all."""

    def __init__(
        self,
        streaks: Streaks,
        incidents: IncidentRepository,
        threshold: int,
        delivery: JobAlertDelivery,
        component: str = JOBS_COMPONENT,
    ) -> None:
        self._streaks = streaks
        self._incidents = incidents
        self._threshold = threshold
        self._delivery = delivery
        self._component = component
        self._failure_counts: dict[str, int] = {}
        self._not_noted: dict[str, FailureStreak] = {}
        """What this process fired, until the claims say that it is told."""
        self._newest_failures: dict[str, str] = {}
        """The run of the newest failure that this process has seen, by job."""

    def evaluate(self) -> None:
        """Fire and resolve the conditions of all jobs.

        Raises:
            SQLAlchemyError, sqlite3.Error: the database or the outbox is unavailable.
        """
        streaks = list(self._streaks())
        open_conditions = self._incidents.open_conditions()
        judged = {each.job_name: self._judged(each, open_conditions) for each in streaks}
        first_failures = [each.failures[0].ended_at.timestamp() for each in judged.values() if each.failures]
        outages = self._incidents.periods(DATABASE_COMPONENT, min(first_failures, default=0.0) - INHIBITION_WINDOW)
        claims = self._delivery.claims.read() if first_failures else {}
        for streak in streaks:
            claim, shown = claims.get(streak.job_name), judged[streak.job_name]
            self._evaluate_streak(
                shown,
                _outside(shown.failures, outages),
                open_conditions.get(FAILING + streak.job_name),
                claim if claim is not None and claim.is_of(shown.last_success) else None,
            )
            for kind, since in ((MISSED, streak.last_success), (OVERDUE, streak.last_end)):
                incident = open_conditions.get(kind + streak.job_name)
                if incident is not None and since is not None and since.timestamp() > incident.last_at:
                    self._resolve(incident, since, *job_alerts.resolved(kind, streak.job_name))

    def _judged(self, streak: FailureStreak, open_conditions: Mapping[str, Incident]) -> FailureStreak:
        """The streak to evaluate: the one that a success has just ended, if its newest failure is new to this process.

        So a failure and a success between two evaluations fire, too, and the next evaluation resolves the alert. A failure
        that is older than a claim lasts does not: another machine's claim may have ended, and it would be reported twice.
        """
        shown = streak if streak.failures or streak.ended is None else streak.ended
        if not shown.failures:
            return streak
        key, newest = FAILING + streak.job_name, shown.failures[-1]
        is_known = self._newest_failures.get(streak.job_name) == newest.run_id
        self._newest_failures[streak.job_name] = newest.run_id
        age = self._delivery.clock() - newest.ended_at.timestamp()
        if is_known or age >= CLAIM_LENGTH.total_seconds():
            return streak
        since = shown.failures[0].ended_at.timestamp()
        return shown if key in open_conditions or not self._incidents.periods(key, since) else streak

    def _evaluate_streak(
        self, streak: FailureStreak, failures: list[Failure], incident: Incident | None, claim: FailureClaim | None
    ) -> None:
        if not failures:
            if incident is not None and not streak.runs:
                self._resolve_failures(incident, streak)
            return
        previous = self._failure_counts.setdefault(streak.job_name, len(failures))
        self._failure_counts[streak.job_name] = len(failures)
        if incident is None:
            if len(failures) >= self._threshold and self._is_ours(streak, claim):
                self._not_noted[streak.job_name] = streak
                self._fire(streak, failures)
        elif self._is_still_ours(streak, incident, claim) and len(failures) > previous:
            self._fire(streak, failures)

    def _is_ours(self, streak: FailureStreak, claim: FailureClaim | None) -> bool:
        """Whether this machine is to tell of failures of which it has no alert yet."""
        if claim is not None and claim.is_told:
            return False
        return not self._delivery.can_send() or self._delivery.claims.claim(streak.job_name, streak.last_success)

    def _is_still_ours(self, streak: FailureStreak, incident: Incident, claim: FailureClaim | None) -> bool:
        """Tell the other machines how far this one is. Returns whether none of them was faster."""
        claims, is_told = self._delivery.claims, claim is not None and claim.is_told
        if incident.notified_at is not None:
            if not is_told:
                claims.mark_told(streak.job_name, streak.last_success)
            self._not_noted.pop(streak.job_name, None)
            return True
        if is_told:
            self._incidents.leave_to_other(incident.state, self._delivery.clock())
            return False
        if (claim is None or not claim.is_fresh) and self._delivery.can_send():
            claims.renew(streak.job_name, streak.last_success)
        return True

    def note_told(self) -> None:
        """At the end of the process: note what a channel has accepted since the last evaluation, so that no other machine tells it.

        Raises:
            SQLAlchemyError, sqlite3.Error: the database or the outbox is unavailable.
        """
        open_conditions = self._incidents.open_conditions(FAILING) if self._not_noted else {}
        for name, streak in self._not_noted.items():
            incident = open_conditions.get(FAILING + name)
            if incident is not None and incident.notified_at is not None:
                self._delivery.claims.mark_told(name, streak.last_success)

    def _resolve_failures(self, incident: Incident, streak: FailureStreak) -> None:
        number, since = job_alerts.read_failures(incident.facts)
        self._resolve(
            incident,
            streak.last_success,
            f"Job '{streak.job_name}' works again",
            f"It failed {number} times in" if number else "It had been failing for",
            since,
        )

    def _resolve(
        self, incident: Incident, ended: datetime | None, resolved: str, lasted: str, began: float | None = None
    ) -> None:
        now = self._delivery.clock()
        period = ConditionPeriod(began or incident.first_at, now if ended is None else ended.timestamp(), now)
        resolve(
            Condition(
                incident.state, incident.level, incident.component, incident.summary, resolved=resolved, lasted=lasted
            ),
            period,
        )

    def _fire(self, streak: FailureStreak, failures: list[Failure]) -> None:
        fire(
            Condition(
                FAILING + streak.job_name,
                AlertLevel.ERROR,
                self._component,
                job_alerts.summary(streak, failures),
                job_alerts.facts(streak, failures),
                failures[-1].run_id,
                section=RunbookSection.JOB_FAILED,
            )
        )


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
