import pytest
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families

from telemetry.metrics.families import HistogramValue
from telemetry.metrics.mapping import LabelMapping, MetricMapping


def use(meter, create, name, unit="", attributes=None):
    instrument = getattr(meter, f"create_{create}")(name, unit)
    record = {"counter": "add", "up_down_counter": "add", "histogram": "record", "gauge": "set"}[create]
    getattr(instrument, record)(1.5, attributes or {})


UNLISTED = [
    ("counter", "cache.hits", "{hit}"),
    ("counter", "cache.hits", "1"),
    ("counter", "cache.hits.total", ""),
    ("counter", "cpu.total", "s"),
    ("counter", "cpu.seconds.total", "s"),
    ("counter", "bytes.sent", "By"),
    ("up_down_counter", "queue.length", "{item}"),
    ("up_down_counter", "connections", ""),
    ("gauge", "temperature", "Cel"),
    ("gauge", "cpu.load", "%"),
    ("gauge", "speed", "m/s"),
    ("gauge", "memory.usage_bytes", "By"),
    ("gauge", "price", "RUB"),
    ("histogram", "llm.cost", "{rouble}"),
    ("histogram", "llm.duration", "s"),
    ("histogram", "llm.duration.seconds", "s"),
    ("histogram", "wait", "ms"),
]


@pytest.mark.parametrize(("create", "name", "unit"), UNLISTED)
def test_an_instrument_without_a_mapping_has_the_name_of_the_plain_exporter(make_stage, create, name, unit):
    ours, plain = make_stage(mappings=()), make_stage("otel", mappings=())
    attributes = {"order.status": "new", "retried": True, "attempt": 2, "shop-id": "wb", "tags": ("a", "b")}

    for stage in (ours, plain):
        use(stage.meter, create, name, unit, attributes)

    assert everything_of(ours) == everything_of(plain)


def everything_of(stage):
    return {
        family.name: (family.type, {(s.name, tuple(sorted(s.labels.items())), s.value) for s in family.samples})
        for family in text_string_to_metric_families(stage.text())
    }


def test_a_mapping_without_labels_of_its_own_takes_every_attribute(make_stage):
    stage = make_stage(mappings=(MetricMapping("orders_total", "counter", "orders", "Orders.", labels=None),))

    stage.meter.create_counter("orders").add(2, {"shop.name": "wb"})

    assert stage.series("orders_total") == {(("shop_name", "wb"),): 2}


def test_a_list_is_shown_as_json(stage):
    stage.meter.create_counter("orders").add(2, {"tags": ["a", "b"], "about": {"x": 1}})

    assert stage.series("orders_total") == {(("about", '{"x": 1}'), ("tags", '["a", "b"]')): 2}


def test_two_meters_with_one_instrument_are_one_family_and_their_series_are_summed(stage):
    for meter, attributes in (("a", {"x": "1", "y": "2"}), ("b", {"y": "2", "x": "1"}), ("c", {"x": "3"})):
        stage.meters.get_meter(meter).create_counter("orders").add(1, attributes)

    assert stage.text().count("# TYPE orders_total counter") == 1
    assert stage.series("orders_total") == {(("x", "1"), ("y", "2")): 2, (("x", "3"),): 1}


def test_histograms_with_other_bounds_meet_where_both_have_counted(stage):
    for meter, bounds in (("a", [1.0, 2.0, 5.0]), ("b", [2.0, 3.0, 5.0])):
        histogram = stage.meters.get_meter(meter).create_histogram("wait", explicit_bucket_boundaries_advisory=bounds)
        for value in (0.5, 1.5, 2.5, 4.0, 9.0):
            histogram.record(value)

    buckets = stage.series("wait_bucket")

    assert buckets == {(("le", "2.0"),): 4, (("le", "5.0"),): 8, (("le", "+Inf"),): 10}
    assert stage.series("wait_count") == {(): 10}
    assert stage.series("wait_sum") == {(): 35}


def test_histograms_with_no_bound_in_common_still_have_a_count():
    histogram = HistogramValue((1.0,), [3, 1], 5.0)

    histogram.merge(HistogramValue((2.0,), [4, 2], 7.0))

    assert (histogram.bounds, histogram.counts, histogram.sum) == ((), [10], 12.0)


def test_two_instruments_of_other_kinds_do_not_mix(stage):
    stage.meters.get_meter("a").create_counter("orders").add(2)
    stage.meters.get_meter("b").create_histogram("orders").record(7)
    stage.meters.get_meter("c").create_gauge("orders").set(9)

    lines = stage.text().splitlines()
    assert [line for line in lines if line.startswith("# TYPE orders")] == [
        "# TYPE orders_total counter",
    ]
    assert stage.series("b_orders_count") == {(): 1}  # `orders` is the counter's name in OpenMetrics
    assert stage.series("c_orders") == {(): 9}
    assert {"orders_total 2", "b_orders_sum 7", "b_orders_count 1"} <= set(lines)
    assert "orders 9" not in lines


def test_an_exponential_histogram_does_not_break_the_scrape(make_stage):
    exponential = View(instrument_name="wait*", aggregation=ExponentialBucketHistogramAggregation())
    stage = make_stage(
        mappings=(MetricMapping("waits", "histogram", "wait.listed", "Waits."),), more_views=[exponential]
    )
    stage.meter.create_histogram("wait.listed").record(1)
    stage.meter.create_histogram("wait.unlisted").record(1)
    stage.meter.create_counter("orders").add(1)

    families = stage.families()

    assert families["orders"].samples[0].value == 1
    assert families["waits"].samples == []
    assert "wait_unlisted" not in families


def test_a_mapping_may_refuse_points(make_stage):
    mapping = MetricMapping(
        "paid_total", "counter", "orders", "Paid.", select=lambda attributes: attributes.get("paid") is True
    )
    stage = make_stage(mappings=(mapping,))

    for paid in (True, True, False):
        stage.meter.create_counter("orders").add(1, {"paid": paid})

    assert stage.series("paid_total") == {(): 2}


def test_a_histogram_mapping_of_a_counter_has_no_samples(make_stage):
    stage = make_stage(mappings=(MetricMapping("orders", "histogram", "orders", "Orders."),))

    stage.meter.create_counter("orders").add(1)

    assert stage.families()["orders"].samples == []


def test_one_instrument_may_have_several_mappings(make_stage):
    shop = LabelMapping("shop", "shop.name", default="none")
    mappings = (
        MetricMapping("waits_total", "counter", "wait", "Waits.", (shop,)),
        MetricMapping("wait_seconds", "histogram", "wait", "Waits."),
    )
    stage = make_stage(mappings=mappings)

    stage.meter.create_histogram("wait").record(0.5, {"shop.name": "wb"})
    stage.meter.create_histogram("wait").record(0.5)

    assert stage.series("waits_total") == {(("shop", "wb"),): 1, (("shop", "none"),): 1}
    assert stage.series("wait_seconds_count") == {(): 2}


def test_the_newest_value_of_a_gauge_stands(make_stage):
    stage = make_stage(mappings=(MetricMapping("temperature", "gauge", "temperature", "How warm."),))
    gauge = stage.meter.create_gauge("temperature")

    gauge.set(20)
    gauge.set(21.5)

    assert stage.series("temperature") == {(): 21.5}


def test_the_resource_attributes_are_labels_that_prometheus_allows(make_stage):
    attributes = {"service.name": "sovani", "k8s.pod/label-x": 'a "b"', "1st": True, "args": ("-m", "service")}
    stage = make_stage(resource=Resource(attributes))
    stage.meter.create_counter("orders").add(1)

    assert stage.series("target_info") == {
        (("_st", "true"), ("args", '["-m", "service"]'), ("k8s_pod_label_x", 'a "b"'), ("service_name", "sovani")): 1
    }
