"""The four plots of the overview: requests, their durations, job runs, and calls to other services."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from telemetry.console.plots.chart import Chart, Line
from telemetry.console.view import View
from telemetry.console.words import duration, number
from telemetry.recent.point_queries import PointQueries, SeriesPoints
from telemetry.recent.points.plotted import CALLS, JOBS, REQUESTS

T = TypeVar("T")
_CLASSES: Final = {"2": ("2xx", "ok"), "3": ("3xx", "c1"), "4": ("4xx", "warn"), "5": ("5xx", "bad")}
_OTHER: Final = ("other", "c6")
_OUTCOMES: Final = {"success": "ok", "skipped": "c1", "failed": "bad", "running": "c2"}
_PERCENTILES: Final = {"p50": "c1", "p95": "c2", "p99": "bad"}
_COLOURS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")
_EMPTY: Final = "Nothing was measured in this window. The first figures come after 20 seconds."

NO_PLOTS: Final[list[Chart]] = []


def read_plots(view: View) -> list[Chart]:
    """The plots over the window of the view."""
    points, window = PointQueries(view.telemetry.recent.database), view.window
    asked = (view.since, view.now, window.step)
    return [
        _requests(points.over_time(REQUESTS, *asked, by=("status",)), view),
        _durations(points.percentiles_over_time(REQUESTS, *asked), view),
        _runs(points.over_time(JOBS, *asked, by=("status",)), view),
        _calls(points.over_time(CALLS, *asked, by=("service", "status")), view),
    ]


def _requests(found: Sequence[SeriesPoints], view: View) -> Chart:
    grouped = _added((_CLASSES.get(each.labels["status"][:1], _OTHER), each.rates) for each in found)
    ordered = [entry for entry in (*_CLASSES.values(), _OTHER) if entry in grouped]
    lines = [Line(name, grouped[name, colour], colour) for name, colour in ordered]
    seconds = max(1.0, min(view.window.seconds, _seconds(found)))
    total = sum(value or 0 for each in found for value in each.values)
    return Chart(
        f"Requests, {view.window.label}",
        "per second, by status",
        _times(found),
        lines,
        "areas",
        number,
        f"{number(total / seconds)}/s" if found else "",
        _EMPTY,
    )


def _durations(found: Sequence[SeriesPoints], view: View) -> Chart:
    lines = [Line(name, each.values, _PERCENTILES[name]) for each in found for name in [each.labels["percentile"]]]
    newest = [value for line in lines if line.name == "p95" for value in line.values if value is not None][-1:]
    return Chart(
        f"Duration of requests, {view.window.label}",
        "percentiles",
        _times(found),
        lines,
        "lines",
        duration,
        f"p95 {duration(newest[0])}" if newest else "",
        _EMPTY,
    )


def _runs(found: Sequence[SeriesPoints], view: View) -> Chart:
    known = sorted(
        found,
        key=lambda each: list(_OUTCOMES).index(each.labels["status"]) if each.labels["status"] in _OUTCOMES else 9,
    )
    lines = [Line(each.labels["status"], each.values, _OUTCOMES.get(each.labels["status"], "c6")) for each in known]
    totals = {line.name: sum(value or 0 for value in line.values) for line in lines}
    failed = totals.get("failed", 0)
    all_runs = number(sum(totals.values()))
    return Chart(
        f"Job runs, {view.window.label}",
        f"per {duration(found[0].step) if found else 'step'}, by status",
        _times(found),
        lines,
        "areas",
        number,
        (f"{all_runs}, {number(failed)} failed" if failed else all_runs) if found else "",
        _EMPTY,
    )


def _calls(found: Sequence[SeriesPoints], view: View) -> Chart:
    good = _added((each.labels["service"], each.rates) for each in found if not _has_failed(each))
    bad = _added(("errors", each.rates) for each in found if _has_failed(each))
    lines = [
        Line(name, values, _COLOURS[place % len(_COLOURS)]) for place, (name, values) in enumerate(sorted(good.items()))
    ]
    lines += [Line("errors", values, "bad") for values in bad.values()]
    seconds = max(1.0, min(view.window.seconds, _seconds(found)))
    total = sum(value or 0 for each in found for value in each.values)
    return Chart(
        f"Calls to other services, {view.window.label}",
        "per second",
        _times(found),
        lines,
        "areas",
        number,
        f"{number(total / seconds)}/s" if found else "",
        _EMPTY,
    )


def _has_failed(series: SeriesPoints) -> bool:
    """Whether it counts calls that were not answered with a status below 400."""
    status = series.labels["status"]
    return not (status.isdigit() and int(status) < 400)  # noqa: PLR2004  # HTTP's first error


def _added(rows: Iterable[tuple[T, Sequence[float | None]]]) -> dict[T, list[float | None]]:
    """The sums of rows with one key. None where no row has a value."""
    found: dict[T, list[float | None]] = {}
    for key, values in rows:
        known = found.setdefault(key, [None] * len(values))
        for place, value in enumerate(values):
            if value is not None:
                known[place] = (known[place] or 0.0) + value
    return found


def _times(found: Sequence[SeriesPoints]) -> Sequence[float]:
    return found[0].times if found else ()


def _seconds(found: Sequence[SeriesPoints]) -> float:
    """Of how many seconds there are samples."""
    return sum(found[0].seconds) if found else 0.0
