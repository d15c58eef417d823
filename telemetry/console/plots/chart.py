"""A plot of values over time: lines, or areas on top of each other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from markupsafe import Markup, escape

from telemetry.console import words
from telemetry.console.plots.scale import Scale, highest, round_up, runs

WIDTH: Final = 400
HEIGHT: Final = 100
"""The plot is stretched to its frame: strokes and texts are not."""
_TOP, _BOTTOM = 6, 94
_MIN_BAR: Final = 3.0
_MAX_ROWS: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """Values by time; None is a gap, such as while the service was down.

    Attributes:
        colour: a class of the stylesheet: `ok`, `warn`, `bad`, or `c1` to `c6`.
    """

    name: str
    values: Sequence[float | None]
    colour: str = "c1"


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot.

    Attributes:
        title: what is plotted, with its window, such as `Requests, last hour`.
        unit: of the values, such as `per second`; also what a reader of the table sees.
        times: of the points, in seconds since 1970.
        kind: `areas` for what adds up, `lines` for the rest.
        show: makes a value readable.
        is_tall: for a plot that takes half of a page.
        now: the newest value in words, or another one that matters.
        empty: what to say where there are no values.
    """

    title: str
    unit: str
    times: Sequence[float]
    lines: Sequence[Line]
    kind: Literal["areas", "lines"] = "lines"
    show: Callable[[float | None], str] = str
    now: str = ""
    empty: str = "No data in this window yet."
    is_tall: bool = False

    @property
    def has_values(self) -> bool:
        return any(value is not None for line in self.lines for value in line.values)

    @property
    def rows(self) -> list[tuple[float, list[str]]]:
        """The figures as a table, the newest first: each time with the values of all lines; thinned out to a readable number."""
        step = max(1, -(-len(self.times) // _MAX_ROWS))
        picked = range(len(self.times) - 1, -1, -step)
        return [(self.times[i], [self.show(line.values[i]) for line in self.lines]) for i in picked]


def wide(charts: Iterable[Chart]) -> list[Chart]:
    """Charts for a page that has two of them side by side."""
    return [replace(chart, is_tall=True) for chart in charts]


def draw(chart: Chart) -> Markup:
    """The plot as SVG, with its axes beside it: the lowest and highest value, and the first, middle and last time."""
    if not chart.has_values:
        return Markup('<p class="empty">{}</p>').format(chart.empty)
    stacked = chart.kind == "areas"
    rows = _stacked([line.values for line in chart.lines]) if stacked else [line.values for line in chart.lines]
    top = round_up(highest(rows))
    x = Scale(chart.times[0], chart.times[-1], 0.0, WIDTH)
    y = Scale(0.0, top, _BOTTOM, _TOP)
    marks = _areas(chart, rows, x, y) if stacked else _lines(chart, rows, x, y)
    return Markup(  # noqa: S704  # numbers, and texts that are escaped
        f'<div class="plot-frame{" tall" if chart.is_tall else ""}">'
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(_described(chart))}">{_grid(y, top)}{marks}</svg>'
        f"{_value_axis(chart, top)}{_time_axis(chart.times)}</div>"
    )


def _described(chart: Chart) -> str:
    names = ", ".join(line.name for line in chart.lines)
    return f"{chart.title}, {chart.unit}: {names}" + (f"; now {chart.now}" if chart.now else "")


def _stacked(rows: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """Each row on top of those before it. A time is a gap where all rows have one."""
    found: list[list[float | None]] = []
    below: list[float | None] = [None] * len(rows[0]) if rows else []
    for row in rows:
        below = [total if value is None else value + (total or 0.0) for total, value in zip(below, row, strict=True)]
        found.append(below)
    return found


def _areas(chart: Chart, tops: Sequence[Sequence[float | None]], x: Scale, y: Scale) -> str:
    drawn = []
    for index in reversed(range(len(tops))):  # the highest first: each later one covers the part below it
        for first, end in runs(tops[index]):
            points = [(x(chart.times[i]), y(tops[index][i] or 0.0)) for i in range(first, end)]
            drawn.append(_area(points, y(0.0), chart.lines[index].colour, _bar_width(chart)))
    return "".join(drawn)


def _bar_width(chart: Chart) -> float:
    """Of a time without neighbours: as wide as the step between two times."""
    return max(_MIN_BAR, round(WIDTH / max(1, len(chart.times)), 1))


def _area(points: Sequence[tuple[float, float]], bottom: float, colour: str, width: float) -> str:
    if len(points) == 1:
        left, top = min(points[0][0], WIDTH - width), points[0][1]
        return f'<rect class="fill {colour}" x="{left:g}" y="{top}" width="{width}" height="{round(bottom - top, 1)}"/>'
    edge = " ".join(f"{px},{py}" for px, py in points)
    return f'<polygon class="fill {colour}" points="{points[0][0]},{bottom} {edge} {points[-1][0]},{bottom}"/>'


def _lines(chart: Chart, rows: Sequence[Sequence[float | None]], x: Scale, y: Scale) -> str:
    drawn = []
    for line, row in zip(chart.lines, rows, strict=True):
        for first, end in runs(row):
            points = [f"{x(chart.times[i])},{y(row[i] or 0.0)}" for i in range(first, end)]
            if len(points) == 1:  # a line without a length has round ends: a dot
                drawn.append(f'<path class="line point {line.colour}" d="M{points[0]}h0"/>')
            else:
                drawn.append(f'<polyline class="line {line.colour}" points="{" ".join(points)}"/>')
    return "".join(drawn)


def _grid(y: Scale, top: float) -> str:
    return "".join(f'<path class="grid" d="M0 {y(value)}h{WIDTH}"/>' for value in (top, top / 2, 0.0))


def _value_axis(chart: Chart, top: float) -> str:
    marks = "".join(f"<span>{escape(chart.show(value))}</span>" for value in (top, top / 2, 0.0))
    return f'<div class="values" aria-hidden="true">{marks}</div>'


def _time_axis(times: Sequence[float]) -> str:
    first, last = times[0], times[-1]
    marks = (first, (first + last) / 2, last) if last > first else (first,)
    return f'<div class="times">{"".join(words.axis_time(at, last - first) for at in marks)}</div>'
