"""A forked child has counted nothing yet, and what it counts is counted once."""

from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, SumAggregation, View

from telemetry.compatibility import internals
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.measuring.forked_counts import reset_counts

PATH = {"path": "/"}


def values(reader):
    """The value of each series, or count and sum, by the name of its instrument."""
    data = reader.get_metrics_data()
    metrics = [metric for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics]
    return {
        metric.name: (getattr(point, "value", None), getattr(point, "count", None), getattr(point, "sum", None))
        for metric in metrics
        for point in metric.data.data_points
    }


def measured():
    reader = InMemoryMetricReader()
    views = [
        View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation()),
        View(instrument_name="active", aggregation=SumAggregation()),
    ]
    sdk = MeterProvider([reader], views=views, shutdown_on_exit=False)
    meter = LimitedMeterProvider(sdk, 10).get_meter("tests")
    instruments = [meter.create_counter("counter"), meter.create_up_down_counter("active")]
    histograms = [meter.create_histogram("histogram"), meter.create_histogram("exponential")]
    gauge = meter.create_gauge("gauge")
    meter.create_observable_counter("observed", [lambda _options: [Observation(7, PATH)]])

    def measure():
        for _ in range(3):  # the second one is bound
            for counter in instruments:
                counter.add(1, PATH)
            for histogram in histograms:
                histogram.record(0.5, PATH)
        gauge.set(5, PATH)

    measure()
    return sdk, reader, measure


def test_counters_are_at_zero_histograms_begin_anew_and_gauges_stay():
    sdk, reader, measure = measured()
    values(reader)
    measure()

    reset_counts(sdk)

    shown = values(reader)
    assert shown == {
        "counter": (0, None, None),
        "active": (0, None, None),
        "gauge": (5, None, None),
        "observed": (7, None, None),
    }

    measure()
    shown = values(reader)
    assert (shown["counter"][0], shown["active"][0]) == (3, 3)
    assert shown["histogram"] == shown["exponential"] == (None, 3, 1.5)


def test_locks_that_a_thread_of_the_parent_holds_are_made_anew():
    sdk, reader, measure = measured()
    consumer = sdk._measurement_consumer
    [storage] = consumer._reader_storages.values()
    [match, *_] = [each for [each] in storage._instrument_view_instrument_matches.values()]
    held = [
        consumer._lock,
        storage._lock,
        match._lock,
        *(each._lock for each in match._attributes_aggregation.values()),
    ]

    reset_counts(sdk)

    new = [consumer._lock, storage._lock, match._lock, *(each._lock for each in match._attributes_aggregation.values())]
    assert len(held) == len(new) == 4
    assert all(one is not other for one, other in zip(held, new, strict=True))
    measure()
    assert values(reader)["counter"][0] == 3


def test_with_other_names_in_the_sdk_a_child_shows_what_its_parent_has_counted(monkeypatch):
    monkeypatch.setattr(internals, "_missing", {})

    reset_counts(object())

    assert list(internals._missing) == ["_measurement_consumer"]
