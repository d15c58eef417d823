"""Metrics of the recorder itself: what became of each record, and the state of the queue and the spool."""

from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instruments import Instruments
from telemetry.jobs.recorder.recovery import SpoolRecovery
from telemetry.jobs.recorder.writer import Recorder

QUEUE_NAME: Final = "job_runs"
_QUEUE: Final = {semconv.QUEUE: QUEUE_NAME}


class RecorderMetrics:
    """Counts records. The recorder, the recovery and the reaper call it."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._replayed = 0

    @failsafe
    def count_dropped(self, number: int, reason: str) -> None:
        self._instruments.dropped.add(number, {**_QUEUE, semconv.REASON: reason})

    def count_replayed(self, number: int) -> None:
        """Count replayed records. Not thread-safe: only the reaper's thread calls it."""
        self._replayed += number

    @failsafe
    def count_lost(self, job_name: str, runs: int) -> None:
        """Count lost runs, also as failed ones: no process counted their end."""
        labels = {semconv.JOB_NAME: job_name}
        self._instruments.runs_lost.add(runs, labels)
        self._instruments.job_runs.add(runs, {**labels, semconv.JOB_STATUS: semconv.STATUS_FAILED})

    def observe(self, meter: Meter, recorder: Recorder, recovery: SpoolRecovery) -> None:
        """Register the observable instruments."""

        def records() -> Iterable[tuple[float, str]]:
            balance = recorder.balance()
            numbers = (balance.received, balance.written, balance.dropped, self._replayed)
            yield from zip(numbers, semconv.JOB_RECORD_STATES, strict=True)

        meter.create_observable_counter(
            semconv.JOB_RECORDS, [_observe_by(semconv.STATE, records)], "{record}", "Starts and ends of job runs."
        )
        meter.create_observable_counter(
            semconv.SPOOL_REFUSED,
            [
                _observe_by(
                    semconv.REASON, lambda: ((number, reason) for reason, number in recorder.unspooled.items()), _QUEUE
                )
            ],
            "{item}",
            "Items that could not be kept on the disk.",
        )
        meter.create_observable_gauge(
            semconv.SPOOL_SIZE,
            [_observe_one(lambda: recorder.spooled_bytes)],
            "By",
            "Bytes that a spool takes on the disk.",
        )
        meter.create_observable_gauge(
            semconv.TELEMETRY_QUEUE_AGE,
            [_observe_one(lambda: max(recorder.oldest_age(), recovery.oldest_age()))],
            "s",
            "For how long the oldest item has waited.",
        )


def _observe_one(value: Callable[[], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: [Observation(value(), _QUEUE)]


def _observe_by(
    attribute: str, values: Callable[[], Iterable[tuple[float, str]]], labels: dict[str, str] | None = None
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _options: [Observation(value, {**(labels or {}), attribute: word}) for value, word in values()]
