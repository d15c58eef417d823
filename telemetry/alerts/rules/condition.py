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
from telemetry.durations import format_clock, format_length
from telemetry.redaction.policy import redact_value

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
    """`key` identifies it; `run_id` names the job run it is about, `inhibited_by` the condition that may be its cause.

    Attributes:
        section: of the runbook.
        resolved: how things are again after its end, as the beginning of a sentence: "The database answers again".
        lasted: the beginning of the sentence about how long it lasted.
    """

    key: str
    level: AlertLevel
    component: str
    summary: str
    facts: Mapping[str, str] | None = None
    run_id: str = ""
    inhibited_by: str = ""
    section: str = ""
    resolved: str = ""
    lasted: str = "It lasted"

    def __post_init__(self) -> None:
        """The outbox knows conditions by what may be shown of their keys."""
        for name in ("key", "component", "inhibited_by"):
            object.__setattr__(self, name, redact_value(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class ConditionPeriod:
    """When a condition was present, in Unix time; `began` is None if that is not known."""

    began: float | None
    ended: float
    now: float


class _State(NamedTuple):
    """Since when a condition is present or absent, and when that was seen last. Unix time."""

    on_since: float | None
    off_since: float | None
    seen_at: float

    def is_fresh(self, now: float) -> bool:
        return 0 <= now - self.seen_at <= _STALE_AFTER


class ConditionTracker:
    """Keeps in the outbox since when each condition is present or absent, and in memory what a full disk does not take."""

    def __init__(self, outbox: Outbox, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._incidents = IncidentRepository(outbox)
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._saved: dict[str, float | None] = {}
        """Since when a condition was open when the outbox was read last; None if it was not."""
        self._unsaved: dict[str, float | None] = {}
        """The same of those whose last change the outbox does not show yet."""

    def observe(self, condition: Condition, reading: Reading, hold_times: HoldTimes) -> None:
        """Fire or resolve the condition when it is time. `between` counts as neither present nor absent."""
        now = self._clock()
        state = self._states[condition.key] = self._update(condition.key, reading, now)
        open_since = self._open_since(condition.key)
        if open_since is None and state.on_since is not None and now - state.on_since >= hold_times.for_:
            self._unsaved[condition.key] = now
            fire(condition)
        elif (
            open_since is not None
            and state.off_since is not None
            and now - state.off_since >= hold_times.keep_firing_for
        ):
            self._unsaved[condition.key] = None
            resolve(condition, ConditionPeriod(open_since, state.off_since, now))

    def _open_since(self, key: str) -> float | None:
        try:
            incident = self._incidents.open_conditions(key).get(key)
            saved = self._saved[key] = None if incident is None else incident.first_at
        except (sqlite3.Error, OSError):
            saved = self._saved.get(key)
        if key in self._unsaved and (self._unsaved[key] is None) is (saved is None):
            del self._unsaved[key]
        return self._unsaved.get(key, saved)

    def _update(self, key: str, reading: Reading, now: float) -> _State:
        """The state after this reading, saved unless the outbox cannot be used."""
        try:
            with self._outbox.read() as connection:
                saved = _read(connection, key)
            state = self._next(key, saved, reading, now)
            if saved is None or saved[:2] != state[:2] or now - saved.seen_at >= _SAVE_INTERVAL:
                with self._outbox.transaction() as connection:
                    state = self._next(key, _read(connection, key), reading, now)
                    connection.execute(
                        "INSERT OR REPLACE INTO states (key, on_since, off_since, seen_at) VALUES (?, ?, ?, ?)",
                        (key, *state),
                    )
        except (sqlite3.Error, OSError):
            return self._next(key, None, reading, now)
        return state

    def _next(self, key: str, saved: _State | None, reading: Reading, now: float) -> _State:
        known = [each for each in (self._states.get(key), saved) if each is not None and each.is_fresh(now)]
        last = max(known, key=lambda each: each.seen_at, default=_State(None, None, now))
        return _State(
            (last.on_since or now) if reading == "on" else None,
            (last.off_since or now) if reading == "off" else None,
            now,
        )


def _read(connection: sqlite3.Connection, key: str) -> _State | None:
    row = connection.execute("SELECT on_since, off_since, seen_at FROM states WHERE key = ?", (key,)).fetchone()
    return None if row is None else _State(*row)


def fire(condition: Condition) -> None:
    """Report a condition that began, or the newer summary of one that is firing."""
    log.log(LEVELS[condition.level], "%s", condition.summary, extra=_attributes(condition))


def resolve(condition: Condition, period: ConditionPeriod) -> None:
    """Report that a condition is over: how things are again, since when, and how long it lasted."""
    log.info(
        "%s",
        resolution(condition, period),
        extra={**_attributes(condition), semconv.ALERT_RESOLVED: True, semconv.ALERT_LEVEL: "INFO"},
    )


def resolution(condition: Condition, period: ConditionPeriod) -> str:
    """Such as: The database answers again since 14:02 UTC. It lasted 3 min."""
    again = condition.resolved or f"Resolved: {condition.summary.strip().rstrip('.')}"
    since = f"{again} since {format_clock(period.ended, period.now)} UTC."
    if period.began is None or period.ended < period.began:
        return since
    return f"{since} {condition.lasted} {format_length(period.ended - period.began)}."


def _attributes(condition: Condition) -> dict[str, object]:
    return {
        semconv.COMPONENT: condition.component,
        semconv.ALERT_CONDITION: condition.key,
        semconv.ALERT_LEVEL: str(condition.level),
        **({semconv.ALERT_SECTION: str(condition.section)} if condition.section else {}),
        **({semconv.ALERT_RUN_ID: condition.run_id} if condition.run_id else {}),
        **({semconv.ALERT_INHIBITED_BY: condition.inhibited_by} if condition.inhibited_by else {}),
        **({semconv.ALERT_FACTS: serialize_facts(condition.facts)} if condition.facts else {}),
    }
