"""Requests: a row for each route, with its rate, errors and durations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from telemetry.console.pages.figures import FAILED_STATUSES, request_charts, spark_step
from telemetry.console.parts import Part, read_part
from telemetry.console.plots.chart import Chart, wide
from telemetry.console.view import View
from telemetry.recent.point_queries import PointQueries, SeriesTotal
from telemetry.recent.points.plotted import REQUESTS

MAX_ROWS: Final = 100
_ROUTE: Final = ("endpoint", "method")
_DURATIONS: Final = ("p50", "p95", "p99")
_NONE: Final = (None, None, None)


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route's figures in the window.

    Attributes:
        rate: requests per second, of the time of which there are figures.
        errors: the share that failed by the server's fault, 0 to 1.
        percentiles: of the durations in seconds: 50, 95, 99.
        course: requests per second over time, for a sparkline.
    """

    endpoint: str
    method: str
    count: float
    rate: float
    errors: float
    percentiles: tuple[float | None, ...]
    course: Sequence[float | None] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.endpoint, self.method


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the rows can be sorted by; figures the largest first."""

    key: str
    title: str
    value: Callable[[RouteRow], Any]


COLUMNS: Final = (
    Column("route", "Route", lambda row: (row.endpoint, row.method)),
    Column("count", "Requests", lambda row: -row.count),
    Column("rate", "Per second", lambda row: -row.rate),
    Column("errors", "Errors", lambda row: (-row.errors, -row.count)),
    Column("p50", "p50", lambda row: -(row.percentiles[0] or 0)),
    Column("p95", "p95", lambda row: -(row.percentiles[1] or 0)),
    Column("p99", "p99", lambda row: -(row.percentiles[2] or 0)),
)


@dataclass(frozen=True, slots=True)
class Requests:
    """The rows that are shown, how many there are, and the plots of all routes."""

    rows: Sequence[RouteRow] = ()
    total: int = 0
    charts: Sequence[Chart] = ()


def read(view: View) -> dict[str, Any]:
    order = view.choice("sort", tuple(column.key for column in COLUMNS), "count")
    part: Part[Requests] = read_part("Figures", lambda: _read(view, order), Requests())
    return {
        "requests": part,
        "columns": COLUMNS,
        "order": order,
        "find": view.text("find"),
        "has_own": view.flag("own"),
        "most": MAX_ROWS,
    }


def _read(view: View, order: str) -> Requests:
    queries = view.telemetry.recent.points
    rows = [row for row in _rows(view, queries, has_durations=order in _DURATIONS) if _is_wanted(view, row)]
    rows.sort(key=next(column.value for column in COLUMNS if column.key == order))
    shown = _with_details(view, queries, rows[:MAX_ROWS])
    return Requests(shown, len(rows), wide(request_charts(view, queries)))


def _is_wanted(view: View, row: RouteRow) -> bool:
    root, find = view.frame.root, view.text("find").lower()
    is_own = f"{row.endpoint}/".startswith(f"{root}/")
    return (not is_own or view.flag("own")) and find in f"{row.method} {row.endpoint}".lower()


def _rows(view: View, queries: PointQueries, *, has_durations: bool) -> list[RouteRow]:
    """All routes. Their durations take several times as long, and so are read only to sort by them."""
    window = (view.since, view.now)
    seconds = queries.sampled_seconds(*window) or float(view.window.seconds)
    failed = _failed(queries, window)
    totals = queries.totals(REQUESTS, *window, by=_ROUTE, has_buckets=has_durations)
    return [row_of(total, failed.get(route_of(total.labels), 0), seconds) for total in totals if total.value]


def _failed(queries: PointQueries, window: tuple[float, float]) -> dict[tuple[str, str], float]:
    """How many requests failed, by route. Only the series with such a status are read, which are few."""
    found = queries.totals(REQUESTS, *window, by=_ROUTE, match={"status": FAILED_STATUSES})
    return {route_of(total.labels): total.value for total in found}


def route_of(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels["endpoint"], labels["method"]


def row_of(total: SeriesTotal, failed: float, seconds: float) -> RouteRow:
    """The row of a total.

    Args:
        total: by route.
        failed: how many of it failed.
        seconds: of which there are figures.
    """
    rate, errors = total.value / seconds, failed / total.value
    return RouteRow(*route_of(total.labels), total.value, rate, errors, tuple(total.percentiles()))


def _with_details(view: View, queries: PointQueries, rows: Sequence[RouteRow]) -> list[RouteRow]:
    """The rows with their durations and their course over time."""
    match = {"endpoint": {row.endpoint for row in rows}}
    series = queries.over_time(REQUESTS, view.since, view.now, spark_step(view), match=match, by=_ROUTE)
    totals = queries.totals(REQUESTS, view.since, view.now, by=_ROUTE, match=match, has_buckets=True)
    courses = {route_of(each.labels): each.rates for each in series}
    durations = {route_of(each.labels): tuple(each.percentiles()) for each in totals}
    return [replace(row, course=courses.get(row.key, ()), percentiles=durations.get(row.key, _NONE)) for row in rows]
