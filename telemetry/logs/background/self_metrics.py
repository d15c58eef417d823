"""Metrics of the log writers: records that were dropped, and errors that were written late."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.logs.background.log_writer import LogWriter


def observe_writers(meter: Meter, writers: Callable[[], Iterable[LogWriter]]) -> None:
    """Observe counters instead of adding to some: an instrument takes locks, and dropping a record must not."""

    def dropped(_options: CallbackOptions) -> Iterable[Observation]:
        full = {semconv.REASON: "full"}
        return [Observation(each.dropped, {semconv.QUEUE: each.name, **full}) for each in writers() if each.dropped]

    def late(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(each.late, {semconv.QUEUE: each.name}) for each in writers()]

    meter.create_observable_counter(semconv.LOG_DROPPED, [dropped], "{record}", "Log records that found a queue full.")
    meter.create_observable_counter(semconv.LOG_LATE, [late], "{record}", "Errors that were not written in time.")
