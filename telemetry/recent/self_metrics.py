"""Metrics of what is remembered: the bytes on the disk, the traces, and what was dropped."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.recent.database import RecentDatabase
from telemetry.recent.drops import Drops


def observe_size(meter: Meter, database: RecentDatabase) -> None:
    def size(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(database.size())]

    meter.create_observable_gauge(semconv.RECENT_SIZE, [size], "By", "Bytes that are remembered for the console.")


def observe_traces(meter: Meter, number: Callable[[], int | None]) -> None:
    """Observe how many traces are kept; nothing while that is not known."""

    def traces(_options: CallbackOptions) -> Iterable[Observation]:
        return [] if (found := number()) is None else [Observation(found)]

    meter.create_observable_gauge(semconv.RECENT_TRACES, [traces], "{trace}", "Traces that are remembered.")


def observe_drops(meter: Meter, drops: Drops) -> None:
    """Observe a counter instead of adding to one: an instrument takes locks, and what counts here must not."""

    def dropped(_options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(number, {semconv.KIND: kind, semconv.REASON: reason})
            for (kind, reason), number in drops.numbers().items()
        ]

    meter.create_observable_counter(semconv.RECENT_DROPPED, [dropped], "{item}", "What is not remembered.")
