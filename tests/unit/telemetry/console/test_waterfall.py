"""The bars of a waterfall are where and as long as their spans are."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.console.plots import waterfall
from telemetry.console.plots.waterfall import WIDTH

TIMES = st.floats(0, 1e6) | st.sampled_from([0.0, 1e-9])


@pytest.mark.parametrize(
    ("offset", "seconds", "total", "found"),
    [
        (0, 10, 10, (0, WIDTH)),
        (5, 5, 10, (WIDTH / 2, WIDTH / 2)),
        (2.5, 5, 10, (WIDTH / 4, WIDTH / 2)),
        (0, 0, 10, (0, 4)),
        (10, 0, 10, (WIDTH - 4, 4)),
        (0, 0, 0, (0, 4)),
        (5, 100, 10, (WIDTH / 2, WIDTH / 2)),
        (-1, 1, 10, (0, 4)),
        (3, -1, 10, (300, 4)),
    ],
)
def test_a_bar_is_where_its_span_is(offset, seconds, total, found):
    assert waterfall.bar(offset, seconds, total) == found


@settings(max_examples=40, deadline=None)
@given(TIMES, TIMES, TIMES)
def test_a_bar_never_lies_outside(offset, seconds, total):
    x, width = waterfall.bar(offset, seconds, total)

    assert 0 <= x <= WIDTH
    assert 0 < width <= WIDTH
    assert x + width <= WIDTH + 0.2


def test_events_are_marks():
    drawn = waterfall.draw(1, 2, 10, "bad", [0, 5, 10, 20])

    marks = [float(x) for x in re.findall(r'class="mark" x="([\d.]+)"', drawn)]
    assert marks == [0, 500, WIDTH - 3, WIDTH - 3]
    assert 'class="fill bad" x="100.0"' in drawn
    assert "style" not in drawn
