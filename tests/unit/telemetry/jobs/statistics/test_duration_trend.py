import pytest

from telemetry.jobs.statistics.duration_trend import DurationTrend, duration_trend
from telemetry.jobs.store.quantile_sketch import QuantileSketch

MINUTE = 60.0


def verdict(recent, past):
    return duration_trend(recent, QuantileSketch(past)).verdict


def test_a_job_that_takes_as_long_as_ever_is_as_usual():
    assert verdict([50.0] * 5, [48.0, 50.0, 52.0] * 20) == "usual"


@pytest.mark.parametrize(
    ("recent", "expected"), [(2, "fast"), (24, "fast"), (26, "usual"), (50, "usual"), (99, "usual"), (101, "slow")]
)
def test_twice_and_half_of_what_it_took_is_no_longer_usual(recent, expected):
    assert verdict([recent * MINUTE] * 5, [50 * MINUTE] * 40) == expected


def test_one_run_that_is_different_says_nothing():
    assert verdict([50.0, 50.0, 500.0, 50.0, 50.0], [50.0] * 40) == "usual"


def test_a_job_whose_durations_always_vary_is_as_usual():
    past = [1.0, 10.0, 100.0] * 20

    assert verdict([1.0] * 5, past) == "usual"
    assert verdict([100.0] * 5, past) == "usual"


def test_nobody_hears_of_milliseconds():
    assert verdict([0.2] * 5, [0.01] * 40) == "usual"
    assert verdict([0.01] * 5, [0.2] * 40) == "usual"


@pytest.mark.parametrize("past", [[], [50.0] * 19])
def test_with_too_few_to_compare_with_nothing_is_known(past):
    assert duration_trend([2.0], QuantileSketch(past)).verdict == "unknown"


def test_without_a_recent_success_nothing_is_known():
    assert duration_trend([], QuantileSketch([50.0] * 40)).verdict == "unknown"
    assert duration_trend([], QuantileSketch([50.0] * 40)).recent_seconds is None


def test_it_tells_the_medians_and_their_ratio():
    trend = duration_trend([100.0, 110.0, 120.0], QuantileSketch([50.0] * 40))

    assert trend == DurationTrend("slow", 110.0, pytest.approx(50.0, rel=0.01), pytest.approx(2.2, rel=0.01))


def test_a_job_that_never_took_any_time_has_no_ratio():
    assert duration_trend([5.0], QuantileSketch([0.0] * 40)) == DurationTrend("slow", 5.0, 0.0, None)
