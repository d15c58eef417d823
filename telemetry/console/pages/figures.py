"""Figures and plots that several pages show, from the points that are kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Final

from telemetry.console import words
from telemetry.console.plots.chart import Chart, Line
from telemetry.console.view import View
from telemetry.recent.point_queries import ANY, PointQueries, SeriesPoints
from telemetry.recent.points.plotted import CALLS, REQUESTS
from telemetry.recent.points.stored_series import Match

CLASSES: Final = {"2xx": "ok", "3xx": "c1", "4xx": "warn", "5xx": "bad", "other": "c6"}
"""The colours of the classes of status codes."""
LEVEL_COLOURS: Final = {"CRITICAL": "bad", "ERROR": "bad", "WARNING": "warn", "INFO": "info"}
"""Of alerts and log lines."""
_COLOURS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")
_FAILED: Final = "failed"
_PERCENTILES: Final = {"p50": "c1", "p95": "c3", "p99": "c5"}
_SPARK_STEPS: Final = (60, 300, 1800, 3600, 10_800, 43_200)
_SPARK_POINTS: Final = 30


FAILED_STATUSES: Final = frozenset({*map(str, range(500, 600)), "error"})
"""Those of requests that failed: by the server's fault, or without a response. Of an overflow series nobody knows."""


def is_failure(status: str) -> bool:
    return status in FAILED_STATUSES


def status_class(status: str) -> str:
    """`2xx` for 200; `other` for what is no status code, such as `error` for a request without a response."""
    found = f"{status[:1]}xx"
    return "2xx" if found == "1xx" else found if found in CLASSES else "other"


def is_failed_call(status: str) -> bool:
    """Whether a call to another service failed: by a status from 400 on, or without one."""
    return not status.isdigit() or int(status) >= 400  # noqa: PLR2004  # HTTP's first error


def colours_by_name(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name; beyond six names they come again."""
    return dict(zip(names, cycle(_COLOURS), strict=False))


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


def request_charts(view: View, queries: PointQueries, match: Match = ANY) -> list[Chart]:
    """Requests per second by class of status, and the percentiles of their durations, over the view's window."""
    window = (view.since, view.now, view.window.step)
    by_status = queries.over_time(REQUESTS, *window, match=match, by=("status",))
    classes = joined(by_status, lambda points: status_class(points.labels["status"]))
    return [
        rate_chart(view, "Requests", classes, CLASSES),
        duration_chart(view, "Latency", queries.percentiles_over_time(REQUESTS, *window, match=match)),
    ]


def call_chart(view: View, title: str, queries: PointQueries) -> Chart:
    """Calls to other services per second, by service; those that failed are on top of all others."""
    found = queries.over_time(CALLS, view.since, view.now, view.window.step, by=("service", "status"))
    series = joined(found, _service_or_failed)
    failed = {_FAILED: series.pop(_FAILED)} if _FAILED in series else {}
    return rate_chart(view, title, series | failed, {**colours_by_name(series), _FAILED: "bad"})


def _service_or_failed(points: SeriesPoints) -> str:
    return _FAILED if is_failed_call(points.labels["status"]) else points.labels["service"]


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
