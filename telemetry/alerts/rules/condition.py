"""ConditionTracker: what lasts, such as a full disk. Each is told when it has lasted for a while, and once more when it is over."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from telemetry import semconv
from telemetry.alerts.alert import AlertLevel, serialize_facts
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository

LEVELS: Final = {
    AlertLevel.INFO: logging.INFO,
    AlertLevel.WARNING: logging.WARNING,
    AlertLevel.ERROR: logging.ERROR,
    AlertLevel.CRITICAL: logging.CRITICAL,
}
_FORGOTTEN_AFTER: Final = 180.0
"""Seconds without a look: how it was in between is not known."""
_SEEN_EACH: Final = 60.0
"""Seconds: an idle service writes little."""
Reading = Literal["on", "between", "off"]
log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # whatever `LOG_LEVEL` is: an alert is not a matter of how much one wants to read


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """Seconds for which it has to be there before it is told, and gone before that is."""

    on: float = 120.0
    off: float = 300.0


@dataclass(frozen=True, slots=True)
class Condition:
    """`key` tells it from all others; `run_id` is that of a job run that it is about, `follows` the state that may be its cause."""

    key: str
    level: AlertLevel
    component: str
    words: str
    facts: Mapping[str, str] | None = None
    run_id: str = ""
    follows: str = ""


class ConditionTracker:
    def __init__(self, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._reports = IncidentRepository(outbox)
        self._clock = clock

    def observe(self, state: Condition, reading: Reading, hold: HoldTimes) -> None:
        """`between` is neither: not enough to begin, and not enough to be over."""
        now = self._clock()
        on_since, off_since = self._since(state.key, reading, now)
        is_open = state.key in self._reports.open_states(state.key)
        if not is_open and on_since is not None and now - on_since >= hold.on:
            begin(state)
        elif is_open and off_since is not None and now - off_since >= hold.off:
            end(state)

    def _since(self, key: str, reading: Reading, now: float) -> tuple[float | None, float | None]:
        with self._outbox.transaction() as connection:
            row = connection.execute("SELECT * FROM states WHERE key = ?", (key,)).fetchone()
            is_fresh = row is not None and 0 <= now - row["seen_at"] <= _FORGOTTEN_AFTER
            on_since, off_since = (row["on_since"], row["off_since"]) if is_fresh else (None, None)
            on_since = (on_since or now) if reading == "on" else None
            off_since = (off_since or now) if reading == "off" else None
            is_news = row is None or (row["on_since"], row["off_since"]) != (on_since, off_since)
            if is_news or now - row["seen_at"] >= _SEEN_EACH:
                connection.execute(
                    "INSERT OR REPLACE INTO states (key, on_since, off_since, seen_at) VALUES (?, ?, ?, ?)",
                    (key, on_since, off_since, now),
                )
        return on_since, off_since


def begin(state: Condition) -> None:
    """Or, of one that is told already, that it goes on, with newer words."""
    log.log(LEVELS[state.level], "%s", state.words, extra=_about(state))


def end(state: Condition) -> None:
    log.info("Over: %s", state.words, extra={**_about(state), semconv.ALERT_ENDED: True, semconv.ALERT_LEVEL: "INFO"})


def _about(state: Condition) -> dict[str, object]:
    return {
        semconv.COMPONENT: state.component,
        semconv.ALERT_STATE: state.key,
        semconv.ALERT_LEVEL: str(state.level),
        **({semconv.ALERT_RUN: state.run_id} if state.run_id else {}),
        **({semconv.ALERT_INHIBITED_BY: state.follows} if state.follows else {}),
        **({semconv.ALERT_FACTS: serialize_facts(state.facts)} if state.facts else {}),
    }
