"""The SDK's views: the bucket bounds of each histogram, in seconds."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from telemetry import semconv

BUCKETS: Final[Mapping[str, tuple[float, ...]]] = {
    semconv.HTTP_SERVER_DURATION: (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    # From a refused connection to one that stays open for a day.
    semconv.WEBSOCKET_DURATION: (0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 21_600.0, 86_400.0),
    semconv.HTTP_CLIENT_DURATION: (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    # As OpenTelemetry's semantic conventions for database clients advise.
    semconv.DB_OPERATION_DURATION: (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0),
    # Jobs take from milliseconds to an hour.
    semconv.JOB_DURATION: (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
    semconv.ALERT_DELAY: (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0),
    # A person takes a minute, or comes back after the weekend.
    semconv.ALERT_ACKNOWLEDGE: (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 14_400.0, 28_800.0, 86_400.0),
    semconv.ALERT_RESOLVE: (60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 259_200.0),
}


def views() -> list[View]:
    return [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(boundaries))
        for name, boundaries in BUCKETS.items()
    ]
