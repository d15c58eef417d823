import logging
import threading
import tracemalloc
from itertools import count
from uuid import uuid4

import pytest
from opentelemetry import trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk.trace import TracerProvider

from telemetry.metrics.measuring import attribute_sets
from telemetry.metrics.measuring.attribute_sets import AttributeSets
from telemetry.metrics.measuring.cardinality import CARDINALITY_LIMIT

OVERFLOW = {"otel.metric.overflow": True}


def synchronous(create, method):
    def record(meter, label_sets):
        instrument = getattr(meter, create)("orders")
        for attributes in label_sets:
            getattr(instrument, method)(1, attributes)

    return record


def observable(create):
    def record(meter, label_sets):
        getattr(meter, create)("orders", [lambda _options: [Observation(1, attributes) for attributes in label_sets]])

    return record


ADDITIVE = {
    "counter": synchronous("create_counter", "add"),
    "up-down counter": synchronous("create_up_down_counter", "add"),
    "histogram": synchronous("create_histogram", "record"),
    "observable counter": observable("create_observable_counter"),
    "observable up-down counter": observable("create_observable_up_down_counter"),
}
EVERY = {
    **ADDITIVE,
    "gauge": synchronous("create_gauge", "set"),
    "observable gauge": observable("create_observable_gauge"),
}


def value_of(point):
    return point.sum if hasattr(point, "sum") else point.value


def overflow_of(points):
    return [point for point in points if point.attributes == OVERFLOW]


@pytest.mark.parametrize("kind", EVERY)
def test_an_instrument_has_two_thousand_label_sets_the_last_of_which_is_the_overflow(stage, kind):
    EVERY[kind](stage.meter, [{"order": str(number)} for number in range(CARDINALITY_LIMIT + 500)])

    points = stage.points("orders")

    assert CARDINALITY_LIMIT == 2000
    assert len(points) == 2000
    assert len(overflow_of(points)) == 1


@pytest.mark.parametrize("kind", ADDITIVE)
def test_nothing_is_lost_from_the_total(make_stage, kind):
    stage = make_stage(limit=10)

    ADDITIVE[kind](stage.meter, [{"order": str(number)} for number in range(50)])

    points = stage.points("orders")
    assert sum(value_of(point) for point in points) == 50
    assert value_of(overflow_of(points)[0]) == 50 - 9


@pytest.mark.parametrize("kind", EVERY)
def test_up_to_the_limit_every_set_has_its_series_and_nothing_is_logged(make_stage, kind, caplog):
    stage = make_stage(limit=10)

    EVERY[kind](stage.meter, [{"order": str(number)} for number in range(9)] * 3)

    assert len(stage.points("orders")) == 9
    assert stage.meters.overflowed_instruments() == []
    assert not caplog.records


@pytest.mark.parametrize("kind", EVERY)
def test_one_warning_names_the_instrument(make_stage, kind, caplog):
    stage = make_stage(limit=3)

    EVERY[kind](stage.meter, [{"order": str(number)} for number in range(20)])
    stage.points("orders")
    stage.points("orders")

    [warning] = caplog.records
    assert warning.levelno == logging.WARNING
    assert "orders" in warning.getMessage()
    assert "limit of 3 time series" in warning.getMessage()
    assert stage.meters.overflowed_instruments() == ["orders"]


def test_a_label_set_that_was_seen_before_the_limit_is_still_counted_as_itself(make_stage):
    stage = make_stage(limit=3)
    counter = stage.meter.create_counter("orders")

    for order in ("a", "b", "c", "d", "a"):
        counter.add(1, {"order": order})

    assert {point.attributes.get("order"): point.value for point in stage.points("orders")} == {"a": 2, "b": 1, None: 2}


def test_no_attributes_are_a_label_set_too(make_stage):
    stage = make_stage(limit=3)
    counter = stage.meter.create_counter("orders")

    counter.add(1)
    counter.add(1, {})
    for number in range(10):
        counter.add(1, {"order": number})

    points = stage.points("orders")
    assert len(points) == 3
    assert [point.value for point in points if not point.attributes] == [2]


def test_attributes_in_another_order_are_the_same_label_set(make_stage):
    stage = make_stage(limit=2)
    counter = stage.meter.create_counter("orders")

    counter.add(1, {"shop": "wb", "status": "new"})
    counter.add(1, {"status": "new", "shop": "wb"})

    assert [point.value for point in stage.points("orders")] == [2]


def test_unhashable_values_are_distinguished_and_limited_as_well(make_stage):
    stage = make_stage(limit=3)
    counter = stage.meter.create_counter("orders")

    for tags in (["a"], ["a"], ["b"], {"c": 1}, {"d": 1}):
        counter.add(1, {"tags": tags})

    assert [(point.attributes, point.value) for point in stage.points("orders")] == [
        ({"tags": ("a",)}, 2),
        ({"tags": ("b",)}, 1),
        (OVERFLOW, 2),
    ]


def test_each_instrument_of_each_meter_has_its_own_limit(make_stage):
    stage = make_stage(limit=3)
    mine, theirs = stage.meters.get_meter("mine"), stage.meters.get_meter("theirs")
    counters = [mine.create_counter("orders"), mine.create_counter("reviews"), theirs.create_counter("orders")]

    for counter in counters:
        counter.add(1, {"n": 1})
        counter.add(1, {"n": 2})

    assert stage.meters.overflowed_instruments() == []
    assert len(stage.points("orders")) == 4


@pytest.mark.parametrize("name", ["orders", "Orders"])
def test_an_instrument_that_is_made_twice_has_one_limit(make_stage, name):
    stage = make_stage(limit=3)
    first = stage.meter.create_counter("orders")
    second = stage.meters.get_meter("tests").create_counter(name)

    for number in range(4):
        first.add(1, {"a": number})
        second.add(1, {"b": number})

    points = stage.points("orders")
    assert len({str(point.attributes) for point in points}) == 3
    assert sum(point.value for point in points) == 8


def test_observations_that_come_again_at_each_scrape_stay_the_label_sets_that_they_were(make_stage):
    stage = make_stage(limit=4)
    observations = [Observation(number, {"queue": number}) for number in range(3)]
    stage.meter.create_observable_gauge("queue", [lambda _options: observations])

    for _ in range(5):
        points = stage.points("queue")

    assert {point.attributes["queue"]: point.value for point in points} == {0: 0, 1: 1, 2: 2}
    assert stage.meters.overflowed_instruments() == []


def test_a_generator_is_a_callback_as_well(make_stage):
    def observe():
        options = yield
        for value in count(1):
            assert options is not None
            options = yield [Observation(value, {"order": number}) for number in range(5)]

    stage = make_stage(limit=3)
    stage.meter.create_observable_gauge("orders", [observe()])

    first, second = stage.points("orders"), stage.points("orders")

    assert [point.value for point in first] == [1, 1, 1]
    assert [point.value for point in second] == [2, 2, 2]


def test_a_generator_that_has_ended_observes_nothing_and_is_no_error(stage, caplog):
    def observe():
        yield
        yield [Observation(1)]

    stage.meter.create_observable_gauge("orders", [observe()])

    values = [[point.value for point in stage.points("orders")] for _ in range(3)]

    assert values == [[1], [], []]
    assert not caplog.records


def test_what_a_callback_observed_before_it_failed_is_kept(stage, caplog):
    def observe(_options):
        yield Observation(1, {"order": "a"})
        raise OSError("the sensor is gone")

    stage.meter.create_observable_gauge("orders", [observe])

    assert [point.value for point in stage.points("orders")] == [1]
    assert "Callback failed" in caplog.text


def test_an_observable_instrument_may_have_no_callbacks(stage):
    stage.meter.create_observable_gauge("orders")

    assert stage.points("orders") == []


def test_threads_that_race_for_the_last_label_sets_take_no_more_than_there_are(make_stage, caplog):
    stage = make_stage(limit=50)
    counter = stage.meter.create_counter("orders")
    together = threading.Barrier(8)

    def run(thread):
        together.wait(10)
        for number in range(200):
            counter.add(1, {"order": f"{thread % 4} {number}"})

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    points = stage.points("orders")
    assert len(points) == 50
    assert sum(point.value for point in points) == 8 * 200
    assert len(caplog.records) == 1


def test_a_label_set_that_two_threads_bring_at_once_is_one():
    sets = AttributeSets("orders", limit=3)

    admitted = [sets._add(frozenset({("order", order)})) for order in "aabbc"]

    assert admitted == [True, True, True, True, False]


def test_twenty_thousand_random_attributes_cost_no_memory():
    sets = AttributeSets("orders", CARDINALITY_LIMIT)
    for _ in range(CARDINALITY_LIMIT):
        sets.admit({"order": uuid4().hex})

    tracemalloc.start()
    admitted = sum(sets.admit({"order": str(number)}) != OVERFLOW for number in range(20_000))
    where = [tracemalloc.Filter(inclusive=True, filename_pattern=each) for each in (attribute_sets.__file__, __file__)]
    kept = tracemalloc.take_snapshot().filter_traces(where)  # other threads allocate, too
    tracemalloc.stop()

    assert admitted == 0
    assert sum(trace.size for trace in kept.traces) < 10_000


def test_the_overflow_series_has_its_label(make_stage):
    stage = make_stage(limit=2)
    runs = stage.instruments.job_runs

    for number in range(5):
        runs.add(1, {"job.name": f"job {number}", "job.status": "success"})

    assert stage.series("scheduler_jobs_total") == {
        (("job_name", "job 0"), ("status", "success")): 1,
        (("otel_metric_overflow", "true"),): 4,
    }


def test_advised_bucket_boundaries_are_used(stage):
    stage.meter.create_histogram("size", explicit_bucket_boundaries_advisory=[1.0, 2.0]).record(1.5)

    assert [point.explicit_bounds for point in stage.points("size")] == [(1.0, 2.0)]


def test_the_context_of_a_measurement_is_passed_on(stage):
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("request")

    stage.meter.create_histogram("size").record(1, {"a": 1}, trace.set_span_in_context(span))

    [point] = stage.points("size")
    assert [exemplar.span_id for exemplar in point.exemplars] == [span.get_span_context().span_id]


def test_a_meter_has_the_identity_of_the_real_one(stage):
    meter = stage.meters.get_meter("orders", "1.0", "https://schema.example")

    assert (meter.name, meter.version, meter.schema_url) == ("orders", "1.0", "https://schema.example")
