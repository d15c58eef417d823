"""Shared instruments: what the SDK has recorded is shared, by whichever way it came, and nothing else."""

import threading

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    View,
)

from telemetry.metrics.measuring import bound_instruments
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.measuring.shared_file import SharedFile
from telemetry.metrics.measuring.shared_series import SharedMeasurements, read_series


class Meters:
    def __init__(self, path, views=(), limit=2000):
        self.path, self.reader, shared = path, InMemoryMetricReader(), SharedMeasurements()
        shared.move_to(SharedFile(path))
        self.sdk = MeterProvider([self.reader], shutdown_on_exit=False, views=views)
        self.meter = LimitedMeterProvider(self.sdk, limit, shared).get_meter("ours")

    def shared(self):
        return {
            (shape.name, *sorted(map(repr, attributes.items()))): (total, sum(counts))
            for shape, attributes, total, counts in read_series(self.path.read_bytes())
        }

    def recorded(self):
        data = self.reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        return {
            (metric.name, *sorted(map(repr, point.attributes.items()))): (
                (point.sum, point.count) if hasattr(point, "bucket_counts") else (point.value, 0)
            )
            for metric in metrics
            for point in metric.data.data_points
        }


@pytest.fixture
def path(tmp_path):
    return tmp_path / "numbers"


def test_all_that_counters_and_histograms_measure_is_shared_once(path):
    meters = Meters(path, limit=4)
    counter, histogram = meters.meter.create_counter("c"), meters.meter.create_histogram("h")

    for number in range(20):
        for attributes in ({}, {"a": number % 6}, {"token": "password=hunter2secret"}):
            counter.add(number, attributes)
            histogram.record(number / 4, attributes)

    assert meters.shared() == meters.recorded() != {}


def test_threads_that_measure_a_new_series_at_once_share_each_measurement(path):
    meters = Meters(path)
    counter = meters.meter.create_counter("c")
    start = threading.Barrier(4)

    def measure():
        start.wait(30)
        for number in range(200):
            counter.add(1, {"a": number})

    threads = [threading.Thread(target=measure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert meters.shared() == meters.recorded()
    assert {total for total, _ in meters.shared().values()} == {4.0}


def test_after_another_reader_was_added_the_same_series_goes_on(path):
    meters = Meters(path)
    counter = meters.meter.create_counter("c")
    counter.add(1)
    counter.add(1)

    meters.sdk._measurement_consumer._reader_storages = dict(meters.sdk._measurement_consumer._reader_storages)
    counter.add(1)
    counter.add(1)

    assert meters.shared() == {("c",): (4.0, 0)}


def test_gauges_and_what_goes_up_and_down_are_not_shared(path):
    meters = Meters(path)

    for _ in range(2):
        meters.meter.create_up_down_counter("u").add(1)
        meters.meter.create_gauge("g").set(1)

    assert meters.shared() == {}


@pytest.mark.parametrize(
    "views",
    [
        [View(instrument_name="h", aggregation=ExponentialBucketHistogramAggregation())],
        [View(instrument_name="h", aggregation=LastValueAggregation())],
        [View(instrument_name="h", attribute_keys=set())],
        [View(instrument_name="h", name="one"), View(instrument_name="h", name="two")],
    ],
)
def test_what_a_view_makes_something_else_of_is_not_shared(path, views):
    meters = Meters(path, views)
    histogram = meters.meter.create_histogram("h")

    for _ in range(3):
        histogram.record(1, {"a": 1})

    assert meters.shared() == {}


def test_a_name_that_a_view_has_given_is_shared(path):
    meters = Meters(path, [View(instrument_name="h", name="renamed", description="Other.")])
    histogram = meters.meter.create_histogram("h")
    histogram.record(1)
    histogram.record(1)

    assert meters.shared() == meters.recorded() == {("renamed",): (2.0, 2)}


def test_another_version_of_the_sdk_shares_nothing_and_measures_all(path, monkeypatch):
    class Renamed:
        @property
        def name(self):
            raise AttributeError("_name", name="_name")

    monkeypatch.setattr(bound_instruments, "Shape", lambda *_: Renamed().name)
    meters = Meters(path)
    counter = meters.meter.create_counter("c")

    counter.add(1)
    counter.add(1)

    assert meters.shared() == {}
    assert meters.recorded() == {("c",): (2, 0)}


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), 2**70, None, "x", True])
def test_what_is_refused_or_odd_keeps_nothing_else_from_being_shared(path, amount):
    meters = Meters(path)
    counter = meters.meter.create_counter("c")

    for _ in range(2):
        counter.add(1, {"a": 1})
        counter.add(amount, {"a": 2})

    assert meters.shared()[("c", "('a', 1)")] == (2.0, 0)
