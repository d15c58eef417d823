"""Bound instruments: they record exactly what the SDK itself would record."""

import math
import runpy
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics._internal import _view_instrument_match
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from telemetry.metrics.measuring import bound_instruments
from telemetry.metrics.measuring.bound_instruments import BoundInstruments
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider

RECORD = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}
LABELS = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["x", "", 1, 1.0, True, 0, False, None, ("x", "y"), ["x", "y"], {"x": 1}]),
    max_size=2,
)
AMOUNTS = st.sampled_from([0, 1, 2.5, -1, True, math.nan, math.inf, 10**6])


class BothMeters:
    """The same instruments twice: the SDK's own, and ours around them."""

    def __init__(self, views=(), limit=2000):
        self.reader = InMemoryMetricReader()
        self.sdk = MeterProvider([self.reader], shutdown_on_exit=False, views=views)
        self.plain = self.sdk.get_meter("plain")
        self.ours = LimitedMeterProvider(self.sdk, limit).get_meter("ours")

    def points(self, scope, reader=None):
        data = (reader or self.reader).get_metrics_data()
        scopes = [s for r in data.resource_metrics for s in r.scope_metrics if s.scope.name == scope] if data else []
        return [
            (metric.name, repr(point.attributes), *values_of(point))
            for each in scopes
            for metric in each.metrics
            for point in metric.data.data_points
        ]


def values_of(point):
    if hasattr(point, "bucket_counts"):
        return (point.count, point.sum, point.min, point.max, tuple(point.bucket_counts))
    return (point.value,)


@pytest.fixture
def meters():
    made = BothMeters()
    yield made
    made.sdk.shutdown()


def is_bound(instrument, amount, attributes, context=None):
    return instrument._bindings.try_record(amount, attributes, context)


@pytest.mark.parametrize("kind", RECORD)
@settings(max_examples=20, deadline=None)
@given(measurements=st.lists(st.tuples(AMOUNTS, LABELS), max_size=12))
def test_whatever_is_measured_is_what_the_sdk_would_have_measured(kind, measurements):
    meters = BothMeters()
    plain, ours = (getattr(meter, f"create_{kind}")("size") for meter in (meters.plain, meters.ours))

    for amount, attributes in measurements:
        getattr(plain, RECORD[kind])(amount, attributes)
        getattr(ours, RECORD[kind])(amount, attributes)

    assert meters.points("ours") == meters.points("plain")
    meters.sdk.shutdown()


@pytest.mark.parametrize("kind", RECORD)
def test_the_second_measurement_of_a_label_set_is_recorded_directly(meters, kind):
    """If this fails, the SDK has changed: everything is still recorded correctly, at the SDK's own cost."""
    instrument = getattr(meters.ours, f"create_{kind}")("size")

    before = is_bound(instrument, 1, {"a": "x"})
    getattr(instrument, RECORD[kind])(1, {"a": "x"})

    assert (before, is_bound(instrument, 1, {"a": "x"})) == (False, True)


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, -math.inf])
def test_what_the_sdk_might_refuse_is_left_to_it(meters, amount):
    counter = meters.ours.create_up_down_counter("size")
    counter.add(1)

    assert not is_bound(counter, amount, None)


@pytest.mark.parametrize("exemplars", [TraceBasedExemplarFilter, AlwaysOnExemplarFilter, AlwaysOffExemplarFilter])
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
@pytest.mark.parametrize("tells", [False, True])
def test_exemplars_are_those_that_the_sdk_would_have_taken(exemplars, sampler, tells):
    reader = InMemoryMetricReader()
    sdk = MeterProvider([reader], shutdown_on_exit=False, exemplar_filter=exemplars())
    plain = sdk.get_meter("plain").create_histogram("size")
    ours = LimitedMeterProvider(sdk).get_meter("ours").create_histogram("size")
    ours.record(0, {"a": "x"})
    plain.record(0, {"a": "x"})
    span = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("tests").start_span("request")
    context = trace.set_span_in_context(span)

    for amount in (1, 7, 8, 3000):
        plain.record(amount, {"a": "x"}, context)
        if tells:
            ours.bound({"a": "x"}).record(amount, context, span.is_recording())
        else:
            ours.record(amount, {"a": "x"}, context)

    theirs, mine = (
        [(each.value, each.span_id, each.trace_id, each.filtered_attributes) for each in point.exemplars]
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
        for point in scope.metrics[0].data.data_points
    )
    assert mine == theirs
    assert bool(mine) is (
        exemplars is AlwaysOnExemplarFilter or (exemplars, sampler) == (TraceBasedExemplarFilter, ALWAYS_ON)
    )
    sdk.shutdown()


def test_a_series_that_is_kept_is_recorded_after_a_reader_was_added(meters):
    histogram = meters.ours.create_histogram("size")
    assert histogram.bound({"a": "x"}) is None
    histogram.record(1, {"a": "x"})
    bound, late = histogram.bound({"a": "x"}), InMemoryMetricReader()

    meters.sdk.add_metric_reader(late)
    for _ in range(3):
        bound.record(2, None, False)

    assert [point[2] for point in meters.points("ours")] == [4]
    assert [point[2] for point in meters.points("ours", late)] == [3]


def test_an_sdk_without_the_name_that_is_imported_binds_nothing(meters, monkeypatch):
    counter = meters.ours.create_counter("size")
    monkeypatch.delattr(_view_instrument_match, "_hash_attributes")

    bindings = runpy.run_path(bound_instruments.__file__)["BoundInstruments"](counter._inner)
    bindings.bind({"a": "x"})

    assert bindings.find({"a": "x"}) is None


def test_a_measurement_in_a_sampled_trace_is_an_exemplar(meters):
    histogram = meters.ours.create_histogram("size")
    histogram.record(1, {"a": "x"})
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("request")

    histogram.record(2, {"a": "x"}, trace.set_span_in_context(span))
    with trace.use_span(span):
        histogram.record(3, {"a": "x"})

    data = meters.reader.get_metrics_data()
    [point] = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert point.sum == 6
    assert {exemplar.span_id for exemplar in point.exemplars} == {span.get_span_context().span_id}


def test_a_reader_that_is_added_later_gets_measurements_as_well(meters):
    counter = meters.ours.create_counter("size")
    counter.add(1, {"a": "x"})
    late = InMemoryMetricReader()

    meters.sdk.add_metric_reader(late)
    for _ in range(3):
        counter.add(1, {"a": "x"})

    assert meters.points("ours") == [("size", "{'a': 'x'}", 4)]
    assert meters.points("ours", late) == [("size", "{'a': 'x'}", 3)]
    assert is_bound(counter, 0, {"a": "x"})


@pytest.mark.parametrize("keys", [{"a"}, {"b"}, set()])
def test_a_view_that_drops_attributes_is_obeyed(keys):
    meters = BothMeters(views=[View(instrument_name="size", attribute_keys=keys)])
    plain, ours = meters.plain.create_counter("size"), meters.ours.create_counter("size")

    for counter in (plain, ours):
        for attributes in ({"a": "x", "b": "y"}, {"a": "x"}, {"b": "y"}, {}) * 2:
            counter.add(1, attributes)

    assert meters.points("ours") == meters.points("plain")
    meters.sdk.shutdown()


def test_two_views_of_an_instrument_both_get_measurements():
    meters = BothMeters(views=[View(instrument_name="size", name="first"), View(instrument_name="size", name="second")])
    counter = meters.ours.create_counter("size")

    for _ in range(3):
        counter.add(1, {"a": "x"})

    assert meters.points("ours") == [("first", "{'a': 'x'}", 3), ("second", "{'a': 'x'}", 3)]
    meters.sdk.shutdown()


def test_attributes_that_change_after_the_measurement_change_nothing(meters):
    counter, attributes = meters.ours.create_counter("size"), {"a": "x"}

    counter.add(1, attributes)
    attributes["a"] = "y"
    counter.add(1, attributes)

    assert meters.points("ours") == [("size", "{'a': 'x'}", 1), ("size", "{'a': 'y'}", 1)]


def test_what_is_over_the_limit_is_bound_as_one_set():
    meters = BothMeters(limit=3)
    counter = meters.ours.create_counter("size")

    for number in range(50):
        counter.add(1, {"a": number})

    assert len(counter._bindings._bound) == 3
    assert sum(value for *_, value in meters.points("ours")) == 50
    meters.sdk.shutdown()


def test_threads_that_measure_while_it_is_read_lose_nothing(meters):
    counter, together = meters.ours.create_counter("size"), threading.Barrier(5)
    seen = []

    def measure():
        together.wait(10)
        for _ in range(500):
            counter.add(1, {"a": "x"})

    threads = [threading.Thread(target=measure) for _ in range(4)]
    for thread in threads:
        thread.start()
    together.wait(10)
    for _ in range(20):
        seen += [value for *_, value in meters.points("ours")]
    for thread in threads:
        thread.join(10)

    assert seen == sorted(seen)
    assert meters.points("ours") == [("size", "{'a': 'x'}", 2000)]


def test_an_instrument_without_an_sdk_behind_it_is_not_bound():
    class Strange:
        """Not an instrument of the SDK."""

    bindings = BoundInstruments(Strange())

    bindings.bind({"a": "x"})

    assert not bindings.try_record(1, {"a": "x"}, None)
