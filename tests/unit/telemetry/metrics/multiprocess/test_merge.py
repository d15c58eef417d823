"""merge: what is summed over the workers, and how gauges are combined."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.instruments import METRIC_MAPPINGS
from telemetry.metrics.distinct_names import with_distinct_names
from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue
from telemetry.metrics.multiprocess.merge import merge
from telemetry.metrics.multiprocess.snapshot import Snapshot
from telemetry.metrics.vocabulary import VOCABULARY

BOUNDS = (0.1, 1.0)
GAUGES = {
    "http_requests_in_progress": "sum",
    "websocket_connections_in_progress": "sum",
    "scheduler_jobs_in_progress": "sum",
    "scheduler_job_last_success_timestamp_seconds": "highest",
    "scheduler_job_last_failure_timestamp_seconds": "highest",
    "db_connections_active": "sum",
    "db_client_connections": "sum",
    "db_client_connection_max": "sum",
    "db_client_connection_pending_requests": "sum",
    "app_uptime_seconds": "max",
    "app_info": "once",
    "system_filesystem_utilization": "newest",
    "system_memory_utilization": "newest",
    "process_resident_memory_bytes": "sum",
    "process_virtual_memory_bytes": "sum",
    "process_threads": "sum",
    "process_open_fds": "sum",
    "process_start_time_seconds": "min",
    "telemetry_queue_size": "sum",
    "telemetry_queue_capacity": "sum",
    "telemetry_queue_oldest_age_seconds": "max",
    "telemetry_spool_bytes": "sum",
    "alerts": "newest",
    "telemetry_recent_bytes": "newest",
    "telemetry_recent_traces": "newest",
    "alerts_oldest_pending_seconds": "newest",
    "alert_channel_up": "newest",
    "telemetry_label_sets_overflow": "max",
    "telemetry_page_incomplete": "max",
    "source_age_seconds": "newest",
    "reviews_waiting": "newest",
    "reviews_waiting_oldest_age_seconds": "newest",
    "reviews_without_draft": "newest",
    "rate_limited_until_timestamp_seconds": "newest",
    "credential_expiry_timestamp_seconds": "newest",
    "scheduler_job_suspended": "newest",
    "job_paused": "newest",
}


def gauge(gauge_mode, value, labels=""):
    return Family("some", "gauge", "Some.", {labels: value}, gauge_mode=gauge_mode)


def counter(value, labels=""):
    return Family("some_total", "counter", "Some.", {labels: value})


def histogram(counts, seconds, bounds=BOUNDS, exemplars=()):
    made = HistogramValue(bounds, list(counts), seconds)
    made.add_exemplars(exemplars)
    return Family("some_seconds", "histogram", "Some.", histograms={"": made})


def of(worker, *families, at=1.0):
    return Snapshot(worker, at, families)


def only(families):
    [family] = families
    return family


def test_each_gauge_has_its_mode():
    declared = {
        mapping.name: mapping.gauge_mode for mapping in (*VOCABULARY, *METRIC_MAPPINGS) if mapping.kind == "gauge"
    }

    assert declared == GAUGES


@pytest.mark.parametrize(
    ("gauge_mode", "shown"),
    [
        ("sum", {"": 8}),
        ("max", {"": 5}),
        ("min", {"": 1}),
        ("highest", {"": 9}),
        ("newest", {"": 2}),
        ("once", {"": 5}),
        ("worker", {'worker="1"': 5, 'worker="2"': 2, 'worker="10"': 1}),
    ],
)
def test_a_gauge_is_combined_over_the_live_workers_by_its_mode(gauge_mode, shown):
    live = [
        of("2", gauge(gauge_mode, 2), at=3.0),
        of("10", gauge(gauge_mode, 1), at=2.0),
        of("1", gauge(gauge_mode, 5), at=1.0),
    ]
    dead = [of("0", gauge(gauge_mode, 9), at=9.0)]

    assert only(merge(live, dead)).series == shown


def test_a_series_for_each_worker_keeps_its_own_labels():
    live = [of("1", gauge("worker", 5, 'queue="spans"'))]

    assert only(merge(live, [])).series == {'queue="spans",worker="1"': 5}


def test_series_that_only_one_of_them_has_are_there():
    live = [of("0", counter(1, 'a="1"')), of("1", counter(2, 'a="2"'))]

    assert only(merge(live, [of("2", counter(4, 'a="2"'))])).series == {'a="1"': 1, 'a="2"': 6}


def test_a_counter_is_that_of_live_and_dead_workers():
    assert only(merge([of("0", counter(1)), of("1", counter(2))], [of("0", counter(4))])).series == {"": 7}


def test_a_histogram_is_that_of_live_and_dead_workers_with_the_newest_exemplars():
    old, new = Exemplar("a" * 32, "b" * 16, 0.5, 1.0), Exemplar("c" * 32, "d" * 16, 0.7, 2.0)
    live = [of("0", histogram([1, 1, 0], 0.5, exemplars=[old]))]
    dead = [of("1", histogram([0, 1, 2], 8.5, exemplars=[new]))]

    assert only(merge(live, dead)).histograms[""] == HistogramValue(BOUNDS, [1, 2, 2], 9.0, {1: new})


def test_of_histograms_with_other_bounds_the_common_ones_are_shown():
    live = [of("0", histogram([1, 2, 3], 0.5)), of("1", histogram([1, 1], 0.5, bounds=(1.0,)))]

    assert only(merge(live, [])).histograms[""] == HistogramValue((1.0,), [4, 4], 1.0)


def test_what_has_another_kind_in_another_version_stays_apart():
    live = [of("0", Family("some", "counter", "Some.", {"": 1}), at=1.0), of("1", gauge("sum", 5), at=2.0)]

    merged = merge(live, [])
    named = with_distinct_names(merged)

    assert {(family.kind, family.series[""]) for family in merged} == {("counter", 1), ("gauge", 5)}
    assert {family.name: family.series[""] for family in named} == {"some": 1, "some_gauge": 5}
    assert with_distinct_names(reversed(merged)) == named[::-1]


def test_the_snapshots_stay_as_they_were():
    live = [of("0", histogram([1, 1, 0], 0.5), counter(1)), of("1", histogram([1, 1, 0], 0.5), counter(1))]

    once, again = merge(live, []), merge(live, [])

    assert once == again


def test_no_snapshots_are_no_families():
    assert merge([], []) == []


seconds = st.floats(0, 2.0**20)


def sums(live, dead):
    """The merged values of the counter and of the histogram's sum."""
    families = {family.name: family for family in merge(live, dead)}
    return families["some_total"].series[""], families["some_seconds"].histograms[""].sum


@settings(max_examples=40, deadline=None)
@given(st.lists(seconds, min_size=2, max_size=6), st.data())
def test_no_sum_falls_by_its_last_digit_when_workers_change_places_or_go_into_an_archive(measured, data):
    snapshots = [of("0", counter(each), histogram([1, 0, 0], each)) for each in measured]
    before = sums(snapshots, [])
    order = data.draw(st.permutations(snapshots))
    archived = data.draw(st.integers(1, len(order) - 1))

    archive = of("", *merge([], order[:archived]))

    assert sums(order, []) == sums([], order) == sums(order[archived:], [archive]) == before
    assert sum(measured) == pytest.approx(before[0], abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seconds, seconds, seconds)
def test_no_sum_falls_when_one_of_its_parts_rises(other, one, more):
    snapshots = [of("0", counter(one), histogram([1, 0, 0], one)), of("1", counter(other), histogram([1, 0, 0], other))]
    risen = [of("0", counter(one + more), histogram([1, 0, 0], one + more)), snapshots[1]]

    assert all(now >= before for now, before in zip(sums(risen, []), sums(snapshots, []), strict=True))


@pytest.mark.parametrize("value", [float("inf"), 2.0**600 + 0.0, 2**80, 0])
def test_what_has_no_fraction_is_shown_as_it_is(value):
    assert only(merge([of("0", counter(value))], [])).series == {"": value}


def test_a_sum_that_is_no_number_harms_no_other():
    shown = only(merge([of("0", counter(float("nan")), at=1.0), of("1", counter(1, 'a="1"'))], [])).series

    assert (str(shown[""]), shown['a="1"']) == ("nan", 1)
