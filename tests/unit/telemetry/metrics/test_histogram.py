"""HistogramValue: merging histograms, of the same bounds and of others, with their exemplars."""

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Exemplar as SdkExemplar
from opentelemetry.sdk.metrics.export import HistogramDataPoint

from telemetry.metrics.histogram import Exemplar, HistogramValue

BOUNDS = (0.1, 1.0)


def exemplar(value, timestamp, trace="a"):
    return Exemplar(trace * 32, "b" * 16, value, timestamp)


def point(exemplars=()):
    return HistogramDataPoint({}, 0, 1, 6, 4.5, [1, 2, 3], BOUNDS, 0.0, 2.0, list(exemplars))


def test_a_point_of_the_sdk_is_its_bounds_counts_and_sum():
    assert HistogramValue.from_point(point()) == HistogramValue(BOUNDS, [1, 2, 3], 4.5)


def test_an_exemplar_of_a_trace_is_known_by_its_bucket_and_one_of_no_trace_is_left_out():
    traced = SdkExemplar({}, 0.5, 12_250_000_000, 0xB, 0xA)
    untraced = SdkExemplar({}, 5.0, 12_250_000_000, None, None)

    made = HistogramValue.from_point(point([traced, untraced]))

    assert made.exemplars == {1: Exemplar(f"{0xA:032x}", f"{0xB:016x}", 0.5, 12.25)}


def test_the_newest_exemplar_of_each_bucket_stands():
    one = HistogramValue(BOUNDS, [1, 1, 0], 0.5, {0: exemplar(0.05, timestamp=1.0), 1: exemplar(0.5, timestamp=9.0)})
    other = HistogramValue(BOUNDS, [1, 1, 1], 5.75, {0: exemplar(0.07, timestamp=2.0), 1: exemplar(0.6, timestamp=3.0)})
    other.add_exemplars([exemplar(5.0, timestamp=4.0), exemplar(6.0, timestamp=3.5)])

    one.merge(other)

    assert one == HistogramValue(
        BOUNDS,
        [2, 2, 1],
        6.25,
        {0: exemplar(0.07, timestamp=2.0), 1: exemplar(0.5, timestamp=9.0), 2: exemplar(5.0, timestamp=4.0)},
    )


def test_a_measurement_on_a_bound_belongs_to_the_bucket_below_it():
    made = HistogramValue(BOUNDS, [0, 0, 0], 0)

    made.add_exemplars([exemplar(0.1, timestamp=1.0), exemplar(1.0, timestamp=1.0)])

    assert made.exemplars == {0: exemplar(0.1, timestamp=1.0), 1: exemplar(1.0, timestamp=1.0)}


def test_exemplars_find_their_buckets_anew_where_bounds_differ():
    one = HistogramValue((0.1, 0.5, 1.0), [0, 0, 1, 0], 0.75, {2: exemplar(0.7, timestamp=1.0)})
    other = HistogramValue((0.1, 1.0, 2.0), [0, 0, 0, 1], 3.0, {3: exemplar(3.0, timestamp=2.0)})

    one.merge(other)

    assert one == HistogramValue(
        BOUNDS, [0, 1, 1], 3.75, {1: exemplar(0.7, timestamp=1.0), 2: exemplar(3.0, timestamp=2.0)}
    )


def test_a_copy_is_independent():
    one = HistogramValue(BOUNDS, [1, 2, 3], 4.5, {0: exemplar(0.05, timestamp=1.0)})
    copy = one.copy()

    copy.merge(one)
    copy.add_exemplars([exemplar(5.0, timestamp=1.0)])

    assert one == HistogramValue(BOUNDS, [1, 2, 3], 4.5, {0: exemplar(0.05, timestamp=1.0)})
    assert copy.counts == [2, 4, 6]


bounds = st.lists(st.integers(1, 30), unique=True, max_size=6).map(lambda found: tuple(map(float, sorted(found))))
values = st.lists(st.integers(0, 31).map(float), max_size=30)


def histogram(bounds_of_it, measured):
    made = HistogramValue(bounds_of_it, [0] * (len(bounds_of_it) + 1), 0)
    for value in measured:
        made.counts[bisect_left(bounds_of_it, value)] += 1
        made.sum += value
    return made


@settings(max_examples=40, deadline=None)
@given(bounds, values, bounds, values)
def test_whatever_the_bounds_are_what_is_counted_below_those_that_remain_is_true(one_bounds, one, other_bounds, other):
    made = histogram(one_bounds, one)

    made.merge(histogram(other_bounds, other))

    assert made == histogram(tuple(sorted({*one_bounds} & {*other_bounds})), one + other)
