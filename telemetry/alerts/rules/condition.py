"""Conditions with hold times, such as a full disk: each fires after `for_` seconds and is resolved after `keep_firing_for`."""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

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
_STALE_AFTER: Final = 180.0
"""Seconds without an observation after which the hold times start again."""
_SAVE_INTERVAL: Final = 60.0
"""Seconds between two writes of an observation that changed nothing."""
Reading = Literal["on", "between", "off"]
log = logging.getLogger(__name__)
log.setLevel(logging.INFO)  # `LOG_LEVEL` does not apply to alerts


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """Seconds for which a condition is present before it fires, and absent before it is resolved."""

    for_: float = 120.0
    keep_firing_for: float = 300.0


@dataclass(frozen=True, slots=True)
class Condition:
    """`key` identifies it; `run_id` names the job run it is about, `inhibited_by` the condition that may be its cause."""

    key: str
    level: AlertLevel
    component: str
    summary: str
    facts: Mapping[str, str] | None = None
    run_id: str = ""
    inhibited_by: str = ""


class ConditionTracker:
    """Keeps in the outbox since when each condition is present or absent."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._incidents = IncidentRepository(outbox)
        self._clock = clock

    def observe(self, condition: Condition, reading: Reading, hold_times: HoldTimes) -> None:
        """Fire or resolve the condition when it is time. `between` counts as neither present nor absent."""
        now = self._clock()
        on_since, off_since = self._update(condition.key, reading, now)
        is_open = condition.key in self._incidents.open_conditions(condition.key)
        if not is_open and on_since is not None and now - on_since >= hold_times.for_:
            fire(condition)
        elif is_open and off_since is not None and now - off_since >= hold_times.keep_firing_for:
            resolve(condition)

    def _update(self, key: str, reading: Reading, now: float) -> tuple[float | None, float | None]:
        """Since when the condition is present and since when absent, as saved with this reading."""
        with self._outbox.read() as connection:
            update = _update(connection, key, reading, now)
        if update.is_to_save:
            with self._outbox.transaction() as connection:
                update = _update(connection, key, reading, now)
                connection.execute(
                    "INSERT OR REPLACE INTO states (key, on_since, off_since, seen_at) VALUES (?, ?, ?, ?)",
                    (key, update.on_since, update.off_since, now),
                )
        return update.on_since, update.off_since


class _Update(NamedTuple):
    on_since: float | None
    off_since: float | None
    is_to_save: bool


def _update(connection: sqlite3.Connection, key: str, reading: Reading, now: float) -> _Update:
    row = connection.execute("SELECT * FROM states WHERE key = ?", (key,)).fetchone()
    is_fresh = row is not None and 0 <= now - row["seen_at"] <= _STALE_AFTER
    on_since, off_since = (row["on_since"], row["off_since"]) if is_fresh else (None, None)
    on_since = (on_since or now) if reading == "on" else None
    off_since = (off_since or now) if reading == "off" else None
    is_changed = row is None or (row["on_since"], row["off_since"]) != (on_since, off_since)
    return _Update(on_since, off_since, is_changed or now - row["seen_at"] >= _SAVE_INTERVAL)


def fire(condition: Condition) -> None:
    """Report a condition that began, or the newer summary of one that is firing."""
    log.log(LEVELS[condition.level], "%s", condition.summary, extra=_attributes(condition))


def resolve(condition: Condition) -> None:
    """Report that a condition is over."""
    log.info(
        "Over: %s",
        condition.summary,
        extra={**_attributes(condition), semconv.ALERT_RESOLVED: True, semconv.ALERT_LEVEL: "INFO"},
    )


def _attributes(condition: Condition) -> dict[str, object]:
    return {
        semconv.COMPONENT: condition.component,
        semconv.ALERT_CONDITION: condition.key,
        semconv.ALERT_LEVEL: str(condition.level),
        **({semconv.ALERT_RUN_ID: condition.run_id} if condition.run_id else {}),
        **({semconv.ALERT_INHIBITED_BY: condition.inhibited_by} if condition.inhibited_by else {}),
        **({semconv.ALERT_FACTS: serialize_facts(condition.facts)} if condition.facts else {}),
    }
