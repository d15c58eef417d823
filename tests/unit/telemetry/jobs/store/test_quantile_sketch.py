import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.jobs.store.quantile_sketch import ACCURACY, QuantileSketch

durations = st.floats(1e-6, 1e7)


def nearest_rank(values, percent):
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


@settings(max_examples=40, deadline=None)
@given(st.lists(durations, min_size=1, max_size=200), st.sampled_from([1, 5, 50, 95, 99, 100]))
def test_a_percentile_is_within_one_percent_of_the_nearest_rank(values, percent):
    exact = nearest_rank(values, percent)

    assert QuantileSketch(values).percentile(percent) == pytest.approx(exact, abs=ACCURACY * 1.001 * exact + 1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(durations, max_size=50), st.lists(durations, max_size=50))
def test_sketches_add_up_to_that_of_all(one, other):
    together = QuantileSketch(one)
    together.merge(QuantileSketch(other).stored())

    assert together.stored() == QuantileSketch([*one, *other]).stored()
    assert len(together) == len(one) + len(other)


@settings(max_examples=40, deadline=None)
@given(st.lists(durations, min_size=1, max_size=50))
def test_a_sketch_comes_back_from_json_as_it_was(values):
    stored = json.loads(json.dumps(QuantileSketch([0.0, *values]).stored()))

    again = QuantileSketch()
    again.merge(stored)
    assert again.stored() == stored


def test_nothing_has_no_percentile():
    assert QuantileSketch().percentile(50) is None


@pytest.mark.parametrize("seconds", [0.0, 1e-9, -5.0])
def test_what_is_shorter_than_a_microsecond_is_zero(seconds):
    assert QuantileSketch([seconds]).percentile(99) == 0.0
    assert QuantileSketch([seconds, seconds, 8.0]).percentile(50) == 0.0


def test_what_is_longer_than_any_run_has_a_bound():
    assert QuantileSketch([1e300]).percentile(50) == pytest.approx(1e12, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(st.lists(durations, min_size=1, max_size=50))
def test_what_is_taken_back_was_never_there(values):
    sketch = QuantileSketch([0.0, *values])
    sketch.discard(0.0)
    sketch.discard(values[0])
    sketch.discard(1e-5 if 1e-5 not in values else 1e9)

    assert len(sketch) in {len(values) - 1, len(values) - 2}
    assert sketch.percentile(50) == QuantileSketch(values[1:]).percentile(50) or len(sketch) == len(values) - 2


def test_many_durations_are_few_numbers():
    stored = QuantileSketch(number / 100 for number in range(1, 100_000)).stored()

    assert len(json.dumps(stored)) < 8000
