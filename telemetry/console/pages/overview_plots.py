"""The four plots of the overview: requests, their durations, job runs, and calls to other services."""

from collections.abc import Sequence
from typing import Final

from telemetry.console.pages.figures import call_chart, joined, request_charts
from telemetry.console.plots.chart import Chart, Line
from telemetry.console.view import View
from telemetry.console.words import duration, number
from telemetry.recent.point_queries import SeriesPoints
from telemetry.recent.points.plotted import JOBS

NO_PLOTS: Final[list[Chart]] = []
_STATUSES: Final = {"success": "ok", "skipped": "c1", "failed": "bad"}
_EMPTY: Final = "No job ended in this window. Figures are sampled every 10 seconds."


def read_plots(view: View) -> list[Chart]:
    """The plots over the window of the view."""
    queries = view.telemetry.recent.points
    return [
        *request_charts(view, queries),
        _runs(view, queries.over_time(JOBS, view.since, view.now, view.window.step, by=("status",))),
        call_chart(view, "Outgoing calls", queries),
    ]


def _runs(view: View, found: Sequence[SeriesPoints]) -> Chart:
    by_status = joined(found, lambda points: points.labels["status"])
    names = sorted(
        by_status, key=lambda name: (name not in _STATUSES, list(_STATUSES).index(name) if name in _STATUSES else 0)
    )
    totals = {name: sum(value or 0 for value in by_status[name].values) for name in names}
    failed, all_runs = totals.get("failed", 0), number(sum(totals.values()))
    step = found[0].step if found else view.window.step
    return Chart(
        "Job runs",
        f"per {duration(step)}, last {view.window.label}",
        found[0].times if found else (),
        [Line(name, by_status[name].values, _STATUSES.get(name, "c6")) for name in names],
        kind="areas",
        show=number,
        now=f"{all_runs}, {number(failed)} failed" if failed else all_runs,
        empty=_EMPTY,
    )
