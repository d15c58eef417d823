"""Metrics of the alerts: their number by state, the age of the oldest pending one, and whether the channels work."""

import sqlite3
import threading
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.alerts.intake.deduplicator import Deduplicator
from telemetry.alerts.outbox.queries import AlertCounts, AlertQueries

_CACHE_SECONDS: Final = 1.0
_NO_ALERTS: Final = AlertCounts(0, 0, 0, 0, None)


class AlertMetrics:
    """Reads the outbox once for a scrape; while it cannot be read, the last values stay."""

    def __init__(
        self, queries: AlertQueries, deduplicator: Deduplicator, channels: Iterable[str], clock: Callable[[], float]
    ) -> None:
        self._queries = queries
        self._deduplicator = deduplicator
        self._channels = tuple(channels)
        self._clock = clock
        self._lock = threading.RLock()
        self._read_at = float("-inf")
        self._counts = _NO_ALERTS
        self._disabled: frozenset[str] = frozenset()

    def observe(self, meter: Meter) -> None:
        gauges: tuple[tuple[str, Callable[[], Iterable[Observation]], str, str], ...] = (
            (semconv.ALERT_INCIDENTS, self._by_state, "{alert}", "Alerts that are not over, by state."),
            (semconv.ALERT_OLDEST_PENDING_AGE, self._age, "s", "For how long the oldest alert that is not told waits."),
            (
                semconv.ALERT_CHANNEL_UP,
                self._channel_up,
                "1",
                "Whether a channel takes messages: 0 when it refuses them for good.",
            ),
        )
        for name, values, unit, description in gauges:
            meter.create_observable_gauge(name, [_callback(values)], unit, description)

    def _read(self) -> AlertCounts:
        with self._lock:
            now = self._clock()
            if abs(now - self._read_at) >= _CACHE_SECONDS:
                self._read_at = now
                try:
                    self._counts = self._queries.counts(now)
                    self._disabled = frozenset(each.name for each in self._queries.channels() if each.disabled_reason)
                except (sqlite3.Error, OSError):
                    pass  # the last values stay
            return self._counts

    def _by_state(self) -> Iterable[Observation]:
        counts = self._read()
        waiting = counts.pending + self._deduplicator.unsaved
        numbers = (waiting, counts.notified, counts.silenced, counts.inhibited)
        states = zip(semconv.ALERT_STATES, numbers, strict=True)
        return [Observation(number, {semconv.STATE: state}) for state, number in states]

    def _age(self) -> Iterable[Observation]:
        pending_since = self._read().oldest_pending_at
        return [Observation(0.0 if pending_since is None else max(0.0, self._clock() - pending_since))]

    def _channel_up(self) -> Iterable[Observation]:
        self._read()
        return [Observation(int(name not in self._disabled), {semconv.CHANNEL: name}) for name in self._channels]


def _callback(values: Callable[[], Iterable[Observation]]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: values()
