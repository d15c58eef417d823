import threading

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import TracerProvider

from telemetry.metrics.bound import Bindings
from telemetry.metrics.limits import LimitedMeterProvider

LABELS = {"shop": "wb", "status": 200}


def bound(instrument, attributes=LABELS):
    bindings = Bindings(instrument)
    bindings.bind(attributes)
    return bindings


def values(stage, name):
    return [(dict(point.attributes), point.value) for point in stage.points(name)]


def test_the_installed_sdk_is_one_whose_label_sets_can_be_bound(stage):
    counter = stage.sdk.get_meter("tests").create_counter("orders")
    counter.add(1, LABELS)

    taken = bound(counter).take(2, LABELS, None)

    assert taken
    assert values(stage, "orders") == [(LABELS, 3)]


def test_what_was_never_measured_is_not_bound(stage):
    counter = stage.sdk.get_meter("tests").create_counter("orders")

    assert not bound(counter).take(1, LABELS, None)
    assert stage.points("orders") == []


@pytest.mark.parametrize(
    ("create", "method", "amounts"),
    [
        ("create_counter", "add", (1, 2, 0, -5, float("nan"), float("inf"), 2.5)),
        ("create_up_down_counter", "add", (1, 2, 0, -5, float("nan"), 2.5)),
        ("create_histogram", "record", (1, 2, 0, -5, float("nan"), float("inf"), 2.5, 1e6)),
        ("create_gauge", "set", (1, 2, 0, -5, 2.5)),
    ],
)
def test_the_numbers_are_those_of_the_sdk_alone(stage, create, method, amounts):
    alone = InMemoryMetricReader()
    sdk = MeterProvider([alone], shutdown_on_exit=False)
    mine, theirs = (getattr(meter, create)("orders") for meter in (stage.meter, sdk.get_meter("tests")))

    for attributes in (LABELS, {}, None, {"shop": "ozon"}, {"tags": ["a", "b"]}):
        for amount in amounts:
            getattr(mine, method)(amount, attributes)
            getattr(theirs, method)(amount, attributes)

    assert [described(point) for point in stage.points("orders")] == [described(point) for point in points_of(alone)]
    sdk.shutdown()


def points_of(reader):
    [resource] = reader.get_metrics_data().resource_metrics
    return resource.scope_metrics[0].metrics[0].data.data_points


def described(point):
    fields = ("attributes", "value", "count", "sum", "min", "max", "bucket_counts")
    return {name: getattr(point, name) for name in fields if hasattr(point, name)}


def test_one_and_true_are_two_label_sets_as_they_are_to_the_sdk(stage):
    counter = stage.sdk.get_meter("tests").create_counter("orders")
    for value in (1, True, 1.0):
        counter.add(1, {"a": value})
    bindings = bound(counter, {"a": 1})

    assert bindings.take(1, {"a": 1}, None)
    assert not bindings.take(1, {"a": True}, None)
    assert not bindings.take(1, {"a": 1.0}, None)


def test_a_measurement_within_a_sampled_span_is_an_exemplar_also_when_it_is_not_the_first(stage):
    histogram = stage.meter.create_histogram("size")
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("request")

    histogram.record(1, LABELS)
    histogram.record(1, LABELS)
    histogram.record(1, LABELS, trace.set_span_in_context(span))

    [point] = stage.points("size")
    assert point.count == 3
    assert [exemplar.span_id for exemplar in point.exemplars] == [span.get_span_context().span_id]


def test_a_view_that_drops_attributes_is_heard(make_stage):
    stage = make_stage(more_views=[View(instrument_name="orders", attribute_keys={"shop"})])
    counter = stage.meter.create_counter("orders")

    for status in (200, 200, 500):
        counter.add(1, {"shop": "wb", "status": status})

    assert values(stage, "orders") == [({"shop": "wb"}, 3)]


def test_a_reader_that_comes_later_gets_what_comes_after_it(stage):
    counter = stage.meter.create_counter("orders")
    counter.add(1, LABELS)
    counter.add(1, LABELS)

    late = InMemoryMetricReader()
    stage.sdk.add_metric_reader(late)
    for _ in range(3):
        counter.add(1, LABELS)

    assert [point.value for point in points_of(late)] == [3]
    assert values(stage, "orders") == [(LABELS, 5)]


def test_a_reader_of_differences_gets_differences(make_stage):
    deltas = InMemoryMetricReader({Counter: AggregationTemporality.DELTA})
    counter = make_stage(readers=[deltas]).meter.create_counter("orders")

    seen = []
    for _ in range(2):
        for _ in range(3):
            counter.add(1, LABELS)
        seen.append([point.value for point in points_of(deltas)])

    assert seen == [[3], [3]]


def test_attributes_that_the_caller_changes_afterwards_are_another_label_set(stage):
    counter = stage.meter.create_counter("orders")
    attributes = {"shop": "wb"}
    counter.add(1, attributes)
    counter.add(1, attributes)

    attributes["shop"] = "ozon"
    counter.add(1, attributes)

    assert values(stage, "orders") == [({"shop": "wb"}, 2), ({"shop": "ozon"}, 1)]


def test_without_an_sdk_nothing_is_bound_and_nothing_fails():
    counter = LimitedMeterProvider(NoOpMeterProvider()).get_meter("tests").create_counter("orders")

    counter.add(1, LABELS)
    counter.add(1, LABELS)


def test_only_the_first_measurement_goes_the_sdks_way(stage):
    counter = stage.sdk.get_meter("tests").create_counter("orders")
    bindings = Bindings(counter)
    long_ways = 0

    for _ in range(5):
        if not bindings.take(1, LABELS, None):
            long_ways += 1
            counter.add(1, LABELS)
            bindings.bind(LABELS)

    assert long_ways == 1
    assert values(stage, "orders") == [(LABELS, 5)]


def test_threads_lose_nothing(stage):
    counter = stage.meter.create_counter("orders")
    together = threading.Barrier(4)

    def run():
        together.wait(10)
        for _ in range(500):
            counter.add(1, LABELS)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert values(stage, "orders") == [(LABELS, 4 * 500)]
