"""Percentiles from buckets, as Prometheus' `histogram_quantile` estimates them."""

import pytest

from telemetry.recent.points.percentiles import few_bounds, percentiles

BOUNDS = (0.1, 0.5, 1.0)


@pytest.mark.parametrize(
    ("buckets", "which", "expected"),
    [
        ((0, 0, 0, 0), 50, None),
        ((), 50, None),
        ((10, 0, 0, 0), 50, 0.05),
        ((10, 0, 0, 0), 100, 0.1),
        ((0, 10, 0, 0), 50, 0.3),
        ((50, 40, 10, 0), 95, 0.75),
        ((50, 50, 0, 0), 50, 0.1),
        ((0, 0, 0, 7), 50, 1.0),  # beyond the highest bound nothing more is known
        ((99, 0, 0, 1), 99, 0.1),
        ((0, 10, 0, 0), 0, 0.1),
    ],
)
def test_percentiles_are_even_within_a_bucket(buckets, which, expected):
    (found,) = percentiles(buckets, BOUNDS, (which,))

    assert found == (None if expected is None else pytest.approx(expected))


def test_a_histogram_without_bounds_has_no_percentiles():
    assert percentiles((5,), (), (50, 99)) == [None, None]


@pytest.mark.parametrize("number", [0, 1, 14, 15, 16, 40, 159])
def test_at_most_fifteen_bounds_are_kept_and_the_highest_always(number):
    bounds = [float(place) for place in range(number)]

    found = few_bounds([*bounds, float("inf")])

    assert len(found) == min(number, 15)
    assert found == tuple(sorted(set(found)))
    assert found[-1:] == tuple(bounds[-1:])
