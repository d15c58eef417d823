"""Metrics of the telemetry about itself: the sizes of its queues, and the instruments at their cardinality limit."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv


class Queue(Protocol):
    @property
    def capacity(self) -> int: ...
    @property
    def size(self) -> int: ...


class LimitedInstruments(Protocol):
    def overflowed_instruments(self) -> list[str]: ...
    def late_callbacks(self) -> Mapping[str, int]: ...


class IncompletePage(Protocol):
    @property
    def is_incomplete(self) -> bool: ...


def observe_page(meter: Meter, page: IncompletePage) -> None:
    """Observe whether the page lacks workers."""

    def incomplete(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(int(page.is_incomplete))]

    meter.create_observable_gauge(
        semconv.PAGE_INCOMPLETE, [incomplete], "1", "Whether other workers of the service cannot be found."
    )


def observe_queues(meter: Meter, *sources: Callable[[], Mapping[str, Queue]]) -> None:
    """Observe the size and the capacity of each queue that the sources have, by its name."""

    def queues() -> Iterable[tuple[str, Queue]]:
        return [item for source in sources for item in source().items()]

    def size(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(queue.size, {semconv.QUEUE: name}) for name, queue in queues()]

    def capacity(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(queue.capacity, {semconv.QUEUE: name}) for name, queue in queues()]

    meter.create_observable_gauge(semconv.TELEMETRY_QUEUE_SIZE, [size], "{item}", "Items that wait.")
    meter.create_observable_gauge(
        semconv.TELEMETRY_QUEUE_CAPACITY, [capacity], "{item}", "Items that a queue can hold."
    )


def observe_replaced_values(meter: Meter, replaced: Mapping[tuple[str, str], int]) -> None:
    """Observe how many values that OTLP cannot carry were replaced, by queue and reason."""

    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(number, {semconv.QUEUE: queue, semconv.REASON: reason})
            for (queue, reason), number in list(replaced.items())
        ]

    meter.create_observable_counter(semconv.OTLP_REPLACED, [observe], "{value}", "Values that OTLP cannot carry.")


def observe_limits(meter: Meter, limits: LimitedInstruments) -> None:
    """Observe the instruments that have reached their cardinality limit, and those whose callbacks are late."""

    def overflowed(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(1, {semconv.INSTRUMENT: name}) for name in limits.overflowed_instruments()]

    def late(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(number, {semconv.INSTRUMENT: name}) for name, number in limits.late_callbacks().items()]

    meter.create_observable_gauge(
        semconv.TELEMETRY_OVERFLOW, [overflowed], "1", "Instruments at their limit of time series."
    )
    meter.create_observable_counter(
        semconv.CALLBACK_TIMEOUTS, [late], "{call}", "Calls of an instrument's callback that gave nothing in time."
    )
