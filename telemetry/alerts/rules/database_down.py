"""Database: whether it answers, as a state that is noticed within seconds, also when it hangs."""

from collections.abc import Callable
from concurrent.futures import wait
from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Hold, State, States
from telemetry.error_text import describe
from telemetry.semconv import DATABASE
from telemetry.singleflight import Flights

DEADLINE: Final = 2.0
HOLD: Final = Hold(on=10.0, off=10.0)
"""Seconds: short, since everything else waits for it, and longer than a restart of a moment."""


class DatabaseLook:
    """`ping` raises when the database does not answer; one that hangs keeps no more than its own thread."""

    def __init__(self, ping: Callable[[], object], states: States) -> None:
        self._pings = Flights("alert-database", ping, share_for=0.0)
        self._states = states

    def look(self) -> bool:
        """Whether it answers."""
        wrong = self._wrong()
        state = State(DATABASE, AlertLevel.CRITICAL, DATABASE, f"The database does not answer{wrong and f': {wrong}'}.")
        self._states.observe(state, "on" if wrong else "off", HOLD)
        return not wrong

    def _wrong(self) -> str:
        landing = self._pings.board().landing
        wait([landing], DEADLINE)
        if not landing.done():
            return f"no answer within {DEADLINE:.0f} s"
        error = landing.exception()
        return "" if error is None else describe(error)
