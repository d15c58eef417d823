import re
from xml.etree import ElementTree as ET

import pytest

from telemetry.console.plots import chart, sparkline
from telemetry.console.plots.chart import Chart, Line
from telemetry.console.plots.scale import Scale, round_up, runs

TIMES = [1000.0 + 60 * i for i in range(5)]


def drawn(*lines: Line, kind="lines", show=str) -> ET.Element:
    return framed(*lines, kind=kind, show=show).find("svg")


def framed(*lines: Line, kind="lines", show=str) -> ET.Element:
    return parsed(chart.draw(Chart("Requests", "per second", TIMES, lines, kind=kind, show=show)))


def parsed(plot) -> ET.Element:
    return ET.fromstring(str(plot))  # noqa: S314  # our own


def points(element: ET.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in element.get("points", "").split()]


@pytest.mark.parametrize(
    ("value", "end"),
    [(0, 1), (-3, 1), (float("nan"), 1), (0.03, 0.05), (1, 1), (1.01, 2), (23, 25), (26, 50), (99, 100), (1001, 2000)],
)
def test_an_axis_ends_at_a_round_number(value, end):
    assert round_up(value) == pytest.approx(end)


def test_a_scale_puts_what_lies_outside_on_its_edge():
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (-5, 0, 5, 10, 50)] == [100, 100, 50, 0, 0]


def test_between_the_ranges_with_values_are_gaps():
    assert runs([None, 1, 2, None, None, 3]) == [(1, 3), (5, 6)]


def test_a_line_goes_from_the_first_to_the_last_time_and_no_higher_than_the_axis():
    (line,) = drawn(Line("p95", [0, 5, 10, 5, 0])).findall("polyline")
    xs, ys = zip(*points(line), strict=True)
    assert (xs[0], xs[-1]) == (0, chart.WIDTH)
    assert list(xs) == sorted(xs)
    assert min(ys) == ys[2] == 6
    assert ys[0] == ys[4] == 94


def test_a_line_does_not_cross_a_gap():
    figure = drawn(Line("p95", [1, 2, None, 3, 4]))
    assert [len(points(line)) for line in figure.findall("polyline")] == [2, 2]


def test_a_single_value_between_gaps_is_a_dot():
    figure = drawn(Line("p95", [None, 2, None, None, None]))
    assert [path.get("d") for path in figure.findall("path") if "point" in path.get("class")] == ["M100.0,6.0h0"]


@pytest.mark.parametrize(("times", "left", "width"), [(TIMES, 100, 80), ([1000.0], 0, chart.WIDTH)])
def test_a_single_area_is_a_bar_as_wide_as_a_step(times, left, width):
    values = [None, 2, None, None, None][: len(times)] if len(times) > 1 else [2]
    made = parsed(chart.draw(Chart("Requests", "per second", times, [Line("2xx", values)], kind="areas")))
    (bar,) = made.iter("rect")
    assert (float(bar.get("x")), float(bar.get("width"))) == (left, width)


def test_areas_lie_on_top_of_each_other():
    figure = drawn(Line("2xx", [4] * 5, "ok"), Line("5xx", [6] * 5, "bad"), kind="areas")
    upper, lower = figure.findall("polygon")
    assert (upper.get("class"), lower.get("class")) == ("fill bad", "fill ok")
    assert min(y for _, y in points(upper)) == 6
    assert min(y for _, y in points(lower)) == pytest.approx(94 - 0.4 * 88, abs=0.1)


def test_an_area_without_a_value_is_as_high_as_what_lies_below_it():
    figure = drawn(Line("a", [1] * 5), Line("b", [None, None, 1, None, None]), kind="areas")
    upper = figure.findall("polygon")[0]
    assert len(points(upper)) == 7


def test_the_axis_has_the_values_as_they_are_read():
    figure = framed(Line("p95", [0, 5, 10, 5, 0]), show=lambda value: f"{value:g} ms")
    assert [each.text for each in figure.iter("span")] == ["10 ms", "5 ms", "0 ms"]


def test_the_axis_of_time_has_utc_on_hover():
    times = list(framed(Line("p95", [1] * 5)).iter("time"))
    assert [each.text for each in times] == ["00:16", "00:18", "00:20"]
    assert times[0].get("title") == "1970-01-01 00:16:40 UTC"
    assert times[0].get("data-style") == "minute"


def test_without_values_there_is_a_sentence_in_place_of_a_plot():
    plot = chart.draw(Chart("Requests", "per second", TIMES, [Line("2xx", [None] * 5)], empty="Nothing yet."))
    assert "Nothing yet." in plot
    assert "svg" not in plot


def test_names_are_escaped():
    plot = str(chart.draw(Chart("<b>&", "per second", TIMES, [Line('"x"', [1] * 5)])))
    assert "<b>" not in plot
    parsed(plot)


def test_nothing_is_styled_by_an_attribute():
    assert not re.search(r"(?<!data-)\bstyle=", str(chart.draw(Chart("R", "s", TIMES, [Line("a", [1] * 5)]))))


def test_the_figures_are_thinned_out_and_end_with_the_newest():
    many = Chart("R", "s", [float(i) for i in range(360)], [Line("a", list(range(360)))])
    assert len(many.rows) == 60
    assert many.rows[0] == (359.0, ["359"])


def test_a_sparkline_is_as_wide_as_it_says_and_breaks_at_gaps():
    figure = parsed(sparkline.draw([1, 2, None, 4], "calls <of> an hour"))
    assert figure.get("aria-label") == "calls <of> an hour"
    assert len(figure.findall("polyline")) == 2
