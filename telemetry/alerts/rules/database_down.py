"""The rule for the database: a condition that fires within seconds when it does not answer, hangs or takes no writes."""

from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Condition, ConditionTracker, HoldTimes
from telemetry.environment.runbook import RunbookSection
from telemetry.error_text import safe_text
from telemetry.health.database_writes import NotWritable
from telemetry.semconv import DATABASE_COMPONENT
from telemetry.singleflight import SingleFlight

CHECK_TIMEOUT: Final = 2.0
_DOES_NOT_ANSWER: Final = "The database does not answer"
_TAKES_NO_WRITES: Final = "The database cannot be written"
_SECTIONS: Final = {
    _DOES_NOT_ANSWER: RunbookSection.DATABASE_DOWN,
    _TAKES_NO_WRITES: RunbookSection.DATABASE_READ_ONLY,
}
_RESOLVED: Final = {
    _DOES_NOT_ANSWER: "The database answers again",
    _TAKES_NO_WRITES: "The database can be written again",
}
HOLD_TIMES: Final = HoldTimes(for_=10.0, keep_firing_for=10.0)
"""Short, since inhibited alerts wait for it, and longer than a quick restart."""


class DatabaseDownRule:
    """`check` raises when the database does not answer or takes no writes. A check that hangs blocks only its own thread."""

    def __init__(self, check: Callable[[], object], conditions: ConditionTracker) -> None:
        self._checks = SingleFlight("alert-database", check, share_for=0.0)
        self._conditions = conditions
        self._problem = _DOES_NOT_ANSWER

    def evaluate(self) -> bool:
        """Check the database and observe the result. Returns whether it can be used."""
        problem = self._find_problem()
        self._problem = problem or self._problem  # its end is said of what was wrong last
        self._conditions.observe(_condition(self._problem), "on" if problem else "off", HOLD_TIMES)
        return not problem

    def _find_problem(self) -> str:
        future = self._checks.call().future
        wait([future], CHECK_TIMEOUT)
        if not future.done():
            return f"{_DOES_NOT_ANSWER}: no response within {CHECK_TIMEOUT:.0f} s"
        if (error := future.exception()) is None:
            return ""
        return f"{_TAKES_NO_WRITES if isinstance(error, NotWritable) else _DOES_NOT_ANSWER}: {safe_text(error)}"


def _condition(problem: str) -> Condition:
    kind = problem.partition(":")[0]
    return Condition(
        DATABASE_COMPONENT,
        AlertLevel.CRITICAL,
        DATABASE_COMPONENT,
        f"{problem}.",
        section=_SECTIONS[kind],
        resolved=_RESOLVED[kind],
        lasted="The outage lasted",
    )
