"""Database: whether it answers, as a state that is noticed within seconds, also when it hangs."""

from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Condition, ConditionTracker, HoldTimes
from telemetry.error_text import safe_text
from telemetry.semconv import DATABASE_COMPONENT
from telemetry.singleflight import SingleFlight

PING_TIMEOUT: Final = 2.0
HOLD: Final = HoldTimes(on=10.0, off=10.0)
"""Seconds: short, since everything else waits for it, and longer than a restart of a moment."""


class DatabaseDownRule:
    """`ping` raises when the database does not answer; one that hangs keeps no more than its own thread."""

    def __init__(self, ping: Callable[[], object], states: ConditionTracker) -> None:
        self._pings = SingleFlight("alert-database", ping, share_for=0.0)
        self._states = states

    def look(self) -> bool:
        """Whether it answers."""
        wrong = self._wrong()
        state = Condition(
            DATABASE_COMPONENT,
            AlertLevel.CRITICAL,
            DATABASE_COMPONENT,
            f"The database does not answer{wrong and f': {wrong}'}.",
        )
        self._states.observe(state, "on" if wrong else "off", HOLD)
        return not wrong

    def _wrong(self) -> str:
        future = self._pings.call().future
        wait([future], PING_TIMEOUT)
        if not future.done():
            return f"no answer within {PING_TIMEOUT:.0f} s"
        error = future.exception()
        return "" if error is None else safe_text(error)
