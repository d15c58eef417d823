"""The geometry of a job's lane."""

import re
from xml.etree import ElementTree as ET

import pytest

from telemetry.console.plots import lane
from telemetry.console.plots.lane import HEIGHT, WIDTH, Bar, Mark, joined

SINCE, UNTIL = 1000.0, 1000.0 + WIDTH  # a second is a unit wide


def drawn(bars=(), marks=(), label="sync") -> ET.Element:
    return ET.fromstring(str(lane.draw(bars, marks, (SINCE, UNTIL), label)))  # noqa: S314  # our own


def bars_of(svg: ET.Element) -> dict[str, list[tuple[float, float]]]:
    """Left and right of each bar, by colour."""
    found = {}
    for path in svg.iter("path"):
        name = path.get("class", "").removeprefix("bar ")
        steps = re.findall(r"M([\d.]+) \d+h([\d.]+)", path.get("d", ""))
        found[name] = [(float(left), round(float(left) + float(width), 1)) for left, width in steps]
    return found


def test_a_bar_is_where_its_run_was_and_as_long():
    svg = drawn([Bar(SINCE + 100, SINCE + 130, "ok"), Bar(SINCE + 300, SINCE + 310, "bad")])

    assert bars_of(svg) == {"base": [(0, WIDTH)], "ok": [(100, 130)], "bad": [(300, 310)]}
    assert (svg.get("viewBox"), svg.get("aria-label")) == (f"0 0 {WIDTH} {HEIGHT}", "sync")


@pytest.mark.parametrize(
    ("start", "end", "left", "right"),
    [
        (100, 100.001, 100, 103),  # never thinner than three units
        (WIDTH - 0.1, WIDTH, WIDTH - 3, WIDTH),  # nor outside the lane
        (-50, 20, 0, 20),
        (-50, -0.0, 0, 3),
        (WIDTH - 5, WIDTH + 99, WIDTH - 5, WIDTH),
        (100, 90, 100, 103),  # a clock that was set back
    ],
)
def test_bars_stay_visible_and_inside(start, end, left, right):
    assert bars_of(drawn([Bar(SINCE + start, SINCE + end, "ok")]))["ok"] == [(left, right)]


def test_runs_of_another_time_are_not_drawn():
    assert bars_of(drawn([Bar(0, 10, "ok"), Bar(UNTIL + 1, UNTIL + 2, "ok")])) == {"base": [(0, WIDTH)]}


def test_bars_that_overlap_or_touch_are_joined_and_others_are_not():
    assert joined([(10, 12), (0, 2), (2.5, 4), (3, 3.5), (12, 15)]) == [(0, 4), (10, 15)]


def test_a_lane_of_a_hundred_thousand_runs_is_short():
    runs = [Bar(SINCE + n * WIDTH / 100_000, SINCE + n * WIDTH / 100_000 + 0.001, "ok") for n in range(100_000)]

    svg = str(lane.draw(runs, (), (SINCE, UNTIL), "sync"))

    assert bars_of(ET.fromstring(svg))["ok"] == [(0, WIDTH)]  # noqa: S314  # our own
    assert len(svg) < 500


def test_a_failure_is_drawn_over_the_successes_around_it():
    svg = drawn([Bar(SINCE + 5, SINCE + 6, "bad"), Bar(SINCE, SINCE + 10, "ok")])

    assert [path.get("class") for path in svg.iter("path")] == ["base", "bar ok", "bar bad"]


def test_missed_runs_are_outlined_and_a_downtime_is_a_block_behind_the_bars():
    svg = drawn(
        [Bar(SINCE, SINCE + 5, "ok")],
        [
            Mark(SINCE + 10, SINCE + 10),
            Mark(SINCE + 100, SINCE + 200, "hatched"),
            Mark(SINCE + 150, SINCE + 220, "hatched"),
        ],
    )

    rects = [(each.get("class"), each.get("x"), each.get("width")) for each in svg.iter("rect")]
    assert rects == [("fill hatched", "100", "120"), ("fill hollow", "10", "3")]
    assert [each.tag for each in svg] == ["path", "rect", "path", "rect"]


def test_the_outcome_is_also_a_word():
    svg = drawn([Bar(SINCE, SINCE + 5, "ok"), Bar(SINCE + 50, SINCE + 60, "bad")], [Mark(SINCE + 90, SINCE + 90)])

    assert [each.text for each in svg.iter("title")] == ["succeeded", "failed, timed out or lost", "missed"]


def test_a_label_is_escaped():
    assert drawn(label='"><script>').get("aria-label") == '"><script>'
