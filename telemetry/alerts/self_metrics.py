"""AlertMetrics: the alerts by state, how old the oldest that waits is, and whether the channels take them, as metrics."""

import sqlite3
import threading
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.alerts.intake.deduplicator import Deduplicator
from telemetry.alerts.outbox.queries import AlertCounts, AlertQueries

_SHARED_FOR: Final = 1.0
_NOTHING: Final = AlertCounts(0, 0, 0, 0, None)


class AlertMetrics:
    """What the outbox says, asked once for a scrape; while it says nothing, what it said last."""

    def __init__(
        self, overview: AlertQueries, desk: Deduplicator, channels: Iterable[str], clock: Callable[[], float]
    ) -> None:
        self._overview = overview
        self._desk = desk
        self._channels = tuple(channels)
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._counts = _NOTHING
        self._stopped: frozenset[str] = frozenset()

    def observe(self, meter: Meter) -> None:
        gauges: tuple[tuple[str, Callable[[], Iterable[Observation]], str, str], ...] = (
            (semconv.ALERTS, self._by_state, "{alert}", "Alerts that are not over, by state."),
            (semconv.ALERT_AGE, self._age, "s", "For how long the oldest alert that is not told waits."),
            (
                semconv.ALERT_CHANNEL_UP,
                self._up,
                "1",
                "Whether a channel takes messages: 0 when it refuses them for good.",
            ),
        )
        for name, values, unit, description in gauges:
            meter.create_observable_gauge(name, [_callback(values)], unit, description)

    def _fresh(self) -> AlertCounts:
        with self._lock:
            now = self._clock()
            if abs(now - self._asked) >= _SHARED_FOR:
                self._asked = now
                try:
                    self._counts = self._overview.counts(now)
                    self._stopped = frozenset(each.name for each in self._overview.channels() if each.stopped)
                except (sqlite3.Error, OSError):
                    pass  # what it said last
            return self._counts

    def _by_state(self) -> Iterable[Observation]:
        counts = self._fresh()
        states = {"waiting": counts.waiting + self._desk.unsaved, "told": counts.told}
        states |= {"silenced": counts.silenced, "muted": counts.muted}
        return [Observation(number, {semconv.STATE: state}) for state, number in states.items()]

    def _age(self) -> Iterable[Observation]:
        oldest = self._fresh().oldest
        return [Observation(0.0 if oldest is None else max(0.0, self._clock() - oldest))]

    def _up(self) -> Iterable[Observation]:
        self._fresh()
        return [Observation(int(name not in self._stopped), {semconv.CHANNEL: name}) for name in self._channels]


def _callback(values: Callable[[], Iterable[Observation]]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: values()
