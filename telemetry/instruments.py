"""The OpenTelemetry instruments of the telemetry's own code, as fields of one frozen object."""

from dataclasses import dataclass
from typing import Self

from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter

from telemetry import semconv
from telemetry.compatibility.unstable_api import Gauge


@dataclass(frozen=True, slots=True)
class Instruments:
    """A new metric is one field and one line here, and one mapping in `telemetry.metrics.vocabulary`."""

    http_client_duration: Histogram
    db_operation_duration: Histogram
    job_runs: Counter
    job_duration: Histogram
    job_active: UpDownCounter
    job_last_success: Gauge
    job_last_failure: Gauge
    runs_lost: Counter
    runs_skipped: Counter
    worker_restarts: Counter
    errors: Counter
    dropped: Counter

    @classmethod
    def create(cls, meter: Meter) -> Self:
        instruments = cls(
            http_client_duration=meter.create_histogram(
                semconv.HTTP_CLIENT_DURATION,
                unit="s",
                description="Duration of outgoing HTTP calls, failed ones included.",
            ),
            db_operation_duration=meter.create_histogram(
                semconv.DB_OPERATION_DURATION, unit="s", description="Duration of database client operations."
            ),
            job_runs=meter.create_counter(semconv.JOB_RUNS, unit="{run}", description="Job runs that ended."),
            job_duration=meter.create_histogram(semconv.JOB_DURATION, unit="s", description="Duration of job runs."),
            job_active=meter.create_up_down_counter(
                semconv.JOB_ACTIVE, unit="{run}", description="Job runs in progress."
            ),
            job_last_success=meter.create_gauge(
                semconv.JOB_LAST_SUCCESS, unit="s", description="When a job last succeeded, as Unix time."
            ),
            job_last_failure=meter.create_gauge(
                semconv.JOB_LAST_FAILURE, unit="s", description="When a job last failed, as Unix time."
            ),
            runs_lost=meter.create_counter(
                semconv.JOB_RUNS_LOST, unit="{run}", description="Job runs whose process ended without finishing them."
            ),
            runs_skipped=meter.create_counter(
                semconv.JOB_RUNS_SKIPPED, unit="{run}", description="Job runs that could only wait."
            ),
            worker_restarts=meter.create_counter(
                semconv.WORKER_RESTARTS, unit="{worker}", description="Workers that ended while others continued."
            ),
            errors=meter.create_counter(
                semconv.ERRORS, unit="{error}", description="Events logged at ERROR and above."
            ),
            dropped=meter.create_counter(
                semconv.TELEMETRY_DROPPED, unit="{item}", description="Telemetry that was dropped, by queue and reason."
            ),
        )
        for reason in semconv.WORKER_END_REASONS:  # `rate()` does not see an event that makes a series
            instruments.worker_restarts.add(0, {semconv.REASON: reason})
        return instruments

    def count_worker_restart(self, reason: str) -> None:
        self.worker_restarts.add(1, {semconv.REASON: reason})
