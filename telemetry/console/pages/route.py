"""One route: its plots, its responses by status, and the traces of its slowest and failed requests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Final

from telemetry.console.page_definition import PageNotFound
from telemetry.console.pages.figures import CLASSES, is_failure, request_charts, status_class
from telemetry.console.pages.requests import RouteRow, row_of
from telemetry.console.parts import Part, read_part
from telemetry.console.plots.chart import Chart, wide
from telemetry.console.view import View
from telemetry.recent.point_queries import SeriesTotal
from telemetry.recent.points.plotted import REQUESTS
from telemetry.recent.points.tiers import DAY, KEPT_SECONDS
from telemetry.recent.trace_queries import TraceSummary

_MAX_TRACES: Final = 10
_MAX_LOOKED_AT: Final = 200


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The responses of one status: how many, their share, and the percentiles of their durations in seconds."""

    status: str
    colour: str
    count: float
    share: float
    percentiles: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """A route's figures in the window; None for `whole` if there was no request."""

    whole: RouteRow | None = None
    statuses: Sequence[StatusRow] = ()
    charts: Sequence[Chart] = ()


@dataclass(frozen=True, slots=True)
class Traces:
    """The traces of requests that are kept: those that failed, the newest first, and the slowest ones of the window."""

    failed: Sequence[TraceSummary] = ()
    slowest: Sequence[TraceSummary] = ()


def read(view: View) -> dict[str, Any]:
    method, route = view.text("method", "GET"), view.text("route")
    view.heading = f"{method} {route}"
    figures: Part[Figures] = read_part("Figures", lambda: _figures(view, method, route), Figures())
    traces: Part[Traces] = read_part("Traces", lambda: _traces(view, method, route), Traces())
    return {"method": method, "route": route, "figures": figures, "traces": traces}


def _figures(view: View, method: str, route: str) -> Figures:
    queries, match = view.telemetry.recent.points, {"endpoint": route, "method": method}
    window = (view.since, view.now)
    totals = queries.totals(REQUESTS, *window, by=("status",), match=match, has_buckets=True)
    if not totals and not queries.totals(REQUESTS, view.now - KEPT_SECONDS[DAY], view.now, match=match):
        raise PageNotFound(
            f"No request to {method} {route} was counted in the last 14 days. Look at the list of routes."
        )
    failed = sum(total.value for total in totals if is_failure(total.labels["status"]))
    seconds = queries.sampled_seconds(*window) or float(view.window.seconds)
    whole = replace(reduce(SeriesTotal.plus, totals), labels=match) if totals else None
    return Figures(
        row_of(whole, failed, seconds) if whole else None,
        [_status_row(total, whole.value) for total in totals] if whole else [],
        wide(request_charts(view, queries, match)),
    )


def _status_row(total: SeriesTotal, count: float) -> StatusRow:
    status = total.labels["status"]
    colour = CLASSES[status_class(status)]
    return StatusRow(status, colour, total.value, total.value / count, tuple(total.percentiles()))


def _traces(view: View, method: str, route: str) -> Traces:
    traces = view.telemetry.recent.traces
    failed = traces.search(name=route, failed=True, since=view.since, limit=_MAX_LOOKED_AT)
    found = traces.search(name=route, since=view.since, limit=_MAX_LOOKED_AT)
    slowest = sorted((each for each in found if each.method == method), key=lambda each: -each.seconds)
    return Traces([each for each in failed if each.method == method][:_MAX_TRACES], slowest[:_MAX_TRACES])
