"""Figures and plots that several pages show, from the points that are kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from telemetry.console import words
from telemetry.console.plots.chart import Chart, Line
from telemetry.console.view import View
from telemetry.recent.point_queries import PointQueries, SeriesPoints
from telemetry.recent.points.plotted import REQUESTS
from telemetry.recent.points.stored_series import Match

CLASSES: Final = {"2xx": "ok", "3xx": "c1", "4xx": "warn", "5xx": "bad", "other": "c6"}
"""The colours of the classes of status codes."""
COLOURS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")
_PERCENTILES: Final = {"p50": "c1", "p95": "c3", "p99": "c5"}
_SPARK_STEPS: Final = (60, 300, 1800, 3600, 10_800, 43_200)
_SPARK_POINTS: Final = 30
_ANY: Final[Match] = {}


FAILED_STATUSES: Final = frozenset({*map(str, range(500, 600)), "error"})
"""Those of requests that failed: by the server's fault, or without a response. Of an overflow series nobody knows."""


def is_failure(status: str) -> bool:
    return status in FAILED_STATUSES


def status_class(status: str) -> str:
    """`2xx` for 200; `other` for what is no status code, such as `error` for a request without an answer."""
    found = f"{status[:1]}xx"
    return "2xx" if found == "1xx" else found if found in CLASSES else "other"


def spark_step(view: View) -> int:
    """The seconds between two points of a sparkline."""
    return next(step for step in _SPARK_STEPS if step >= view.window.seconds / _SPARK_POINTS)


def joined(series: Iterable[SeriesPoints], name_of: Callable[[SeriesPoints], str]) -> dict[str, SeriesPoints]:
    """Series of the same name added up, the names in order. None and a number is the number."""
    found: dict[str, SeriesPoints] = {}
    for each in series:
        name = name_of(each)
        if (known := found.get(name)) is not None:
            values = tuple(_plus(one, other) for one, other in zip(known.values, each.values, strict=True))
            found[name] = SeriesPoints(known.labels, known.times, values, known.step, known.seconds)
        else:
            found[name] = each
    return dict(sorted(found.items()))


def _plus(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else one + other


def rate_chart(view: View, title: str, series: Mapping[str, SeriesPoints], colours: Mapping[str, str]) -> Chart:
    """Rates as areas on top of each other, by name."""
    lines = [Line(name, points.rates, colours.get(name, "c6")) for name, points in series.items()]
    times: Sequence[float] = next((points.times for points in series.values()), ())
    return Chart(
        title,
        f"per second, last {view.window.label}",
        times,
        lines,
        kind="areas",
        show=words.number,
        now=_newest_sum(lines),
        empty="Nothing was counted in this window. Figures are sampled every 10 seconds.",
    )


def _newest_sum(lines: Sequence[Line]) -> str:
    """That of the newest step with values."""
    steps = zip(*(line.values for line in lines), strict=True)
    sums = [sum(value or 0.0 for value in step) for step in steps if any(value is not None for value in step)]
    return f"{words.number(sums[-1])}/s" if sums else ""


def request_charts(view: View, queries: PointQueries, match: Match = _ANY) -> list[Chart]:
    """Requests per second by class of status, and the percentiles of their durations, over the view's window."""
    window = (view.since, view.now, view.window.step)
    by_status = queries.over_time(REQUESTS, *window, match=match, by=("status",))
    classes = joined(by_status, lambda points: status_class(points.labels["status"]))
    return [
        rate_chart(view, "Requests", classes, CLASSES),
        duration_chart(view, "Latency", queries.percentiles_over_time(REQUESTS, *window, match=match)),
    ]


def duration_chart(view: View, title: str, percentiles: Sequence[SeriesPoints]) -> Chart:
    """The percentiles of durations as lines."""
    lines = [Line(name := each.labels["percentile"], each.values, _PERCENTILES.get(name, "c6")) for each in percentiles]
    return Chart(
        title,
        f"percentiles, last {view.window.label}",
        percentiles[0].times if percentiles else (),
        lines,
        show=words.duration,
        now=_newest_p95(lines),
        empty="Nothing was measured in this window.",
    )


def _newest_p95(lines: Sequence[Line]) -> str:
    values = [value for line in lines if line.name == "p95" for value in line.values if value is not None]
    return f"p95 {words.duration(values[-1])}" if values else ""
