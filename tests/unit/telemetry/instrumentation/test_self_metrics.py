from collections import Counter

from telemetry.instrumentation import self_metrics
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider


class Backlog:
    capacity = 10
    size = 3


def test_a_queue_has_its_size_and_capacity(signals):
    queue = Backlog()
    self_metrics.observe_queues(signals.meters.get_meter("tests"), lambda: {"job_runs": queue})

    before = signals.series("telemetry_queue_size")
    queue.size = 4

    assert (before, signals.series("telemetry_queue_size")) == ({("job_runs",): 3}, {("job_runs",): 4})
    assert signals.series("telemetry_queue_capacity") == {("job_runs",): 10}


def test_values_that_were_replaced_for_otlp_are_counted(signals):
    replaced = Counter({("logs", "text"): 2})
    self_metrics.observe_replaced_values(signals.meters.get_meter("tests"), replaced)

    before = signals.series("telemetry_otlp_replaced_total")
    replaced["spans", "integer"] += 1

    assert before == {("logs", "text"): 2}
    assert signals.series("telemetry_otlp_replaced_total") == {("logs", "text"): 2, ("spans", "integer"): 1}


def test_an_instrument_that_is_at_its_limit_is_named(signals):
    limited = LimitedMeterProvider(signals.sdk, 2)
    self_metrics.observe_limits(signals.meters.get_meter("tests"), limited)
    counter = limited.get_meter("tests").create_counter("orders")
    counter.add(1, {"order": 1})

    before = signals.series("telemetry_label_sets_overflow")
    counter.add(1, {"order": 2})

    assert (before, signals.series("telemetry_label_sets_overflow")) == ({}, {("orders",): 1})


class Membership:
    is_incomplete = False


def test_a_page_that_lacks_workers_says_so(signals):
    page = Membership()
    self_metrics.observe_page(signals.meters.get_meter("tests"), page)

    before = signals.series("telemetry_page_incomplete")
    page.is_incomplete = True

    assert (before, signals.series("telemetry_page_incomplete")) == ({(): 0}, {(): 1})
