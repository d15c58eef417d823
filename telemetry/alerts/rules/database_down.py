"""The rule for the database: a condition that fires within seconds when it does not answer or hangs."""

from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Condition, ConditionTracker, HoldTimes
from telemetry.error_text import safe_text
from telemetry.semconv import DATABASE_COMPONENT
from telemetry.singleflight import SingleFlight

PING_TIMEOUT: Final = 2.0
HOLD_TIMES: Final = HoldTimes(for_=10.0, keep_firing_for=10.0)
"""Short, since inhibited alerts wait for it, and longer than a quick restart."""


class DatabaseDownRule:
    """`ping` raises when the database does not answer. A ping that hangs blocks only its own thread."""

    def __init__(self, ping: Callable[[], object], conditions: ConditionTracker) -> None:
        self._pings = SingleFlight("alert-database", ping, share_for=0.0)
        self._conditions = conditions

    def evaluate(self) -> bool:
        """Ping the database and observe the result. Returns whether it answers."""
        error = self._ping_error()
        condition = Condition(
            DATABASE_COMPONENT,
            AlertLevel.CRITICAL,
            DATABASE_COMPONENT,
            f"The database does not answer{error and f': {error}'}.",
        )
        self._conditions.observe(condition, "on" if error else "off", HOLD_TIMES)
        return not error

    def _ping_error(self) -> str:
        future = self._pings.call().future
        wait([future], PING_TIMEOUT)
        if not future.done():
            return f"no answer within {PING_TIMEOUT:.0f} s"
        error = future.exception()
        return "" if error is None else safe_text(error)
