"""One job: its runs, their durations, its failures, and what a person may do with it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from telemetry.console.job_control import JobControl, ScheduledJob
from telemetry.console.page_definition import Action, PageNotFound, Refused
from telemetry.console.pages import jobs
from telemetry.console.pages.job_rows import FAILED_COLOUR, colour_of, draw_lane
from telemetry.console.parts import Part, make_change, read_part
from telemetry.console.plots.chart import Chart, Line
from telemetry.console.view import View
from telemetry.console.words import duration
from telemetry.jobs.statistics.summary import JobStatistics, job_statistics
from telemetry.jobs.statistics.timeline_runs import DrawnRun, JobLane, read_lanes
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunRow
from telemetry.recent.log_queries import LogLine

RUNS_PER_PAGE: Final = 50
MAX_WITH_LINES: Final = 10
MAX_LINES: Final = 10
STATES: Final = ("running", "success", "failed")
MAX_REASON_LENGTH: Final = 500
_MINUTE, _HOUR = 60.0, 3600.0


def read(view: View) -> dict[str, Any]:
    view.default_window = jobs.DEFAULT_WINDOW
    name = str(view.params["name"])
    known = jobs.read_known(view)
    job = _known_job(known, name)
    view.heading = name
    lanes: Part[JobLane] = read_part("Job runs", lambda: _lane(view, name), JobLane(), from_database=True)
    statistics: Part[JobStatistics | None] = read_part(
        "Job runs", lambda: _statistics(view, name), None, from_database=True
    )
    runs: Part[Sequence[JobRunRow]] = read_part("Job runs", lambda: _history(view, name), (), from_database=True)
    lines: Part[dict[str, list[LogLine]]] = read_part("Log lines", lambda: _failure_lines(view, runs.value), {})
    return {
        "job": job,
        "colour_of": colour_of,
        "drawn": draw_lane(name, lanes.value, known.value.missed_of(name), (view.since, view.now)),
        "statistics": statistics.value,
        "plot": _plot(view, lanes.value),
        "runs": runs.value[:RUNS_PER_PAGE],
        "lines": lines.value,
        "older": runs.value[RUNS_PER_PAGE - 1].id if len(runs.value) > RUNS_PER_PAGE else None,
        "state": view.choice("status", STATES),
        "states": STATES,
        "problems": [part for part in (known, lanes, statistics, runs) if part.problem][:1],
        "can_change": view.jobs is not None and job.cadence != "",
        "active": lanes.value.running,
    }


def read_run_now(view: View) -> dict[str, Any]:
    """The page that asks before a job is run."""
    name = str(view.params["name"])
    known = jobs.read_known(view)
    job = _known_job(known, name)
    view.heading = f"Run {name}"
    active: Part[Sequence[JobRunRow]] = read_part("Job runs", lambda: _active(view, name), (), from_database=True)
    return {"job": job, "active": active.value[:1], "problems": [part for part in (known, active) if part.problem][:1]}


def _known_job(known: Part[jobs.KnownJobs], name: str) -> ScheduledJob:
    if (job := known.value.get(name)) is not None:
        return job
    if known.problem:
        return ScheduledJob(name)
    names = ", ".join(sorted(job.name for job in known.value.jobs)[:20])
    raise PageNotFound(f"There is no job {name[:100]!r}. There are: {names or 'none'}.")


def _lane(view: View, name: str) -> JobLane:
    return read_lanes(view.telemetry.engine, [name], view.since, view.now)[name]


def _statistics(view: View, name: str) -> JobStatistics:
    return job_statistics(view.telemetry.engine, name, window=timedelta(seconds=view.window.seconds))


def _history(view: View, name: str) -> Sequence[JobRunRow]:
    """One run more than a page has, if there is one."""
    before = view.whole_number("before", 0, most=2**63 - 1) or None
    state = view.choice("status", STATES) or None
    store = JobRunRepository(view.telemetry.engine)
    return store.page(job_name=name, status=state, before=before, limit=RUNS_PER_PAGE + 1)


def _failure_lines(view: View, runs: Sequence[JobRunRow]) -> dict[str, list[LogLine]]:
    """The kept log lines of the newest failed runs, the oldest line first, by trace id."""
    queries, failed = view.telemetry.recent.logs, [run for run in runs if run.status == "failed"]
    found = {run.trace_id: queries.search(trace_id=run.trace_id, limit=MAX_LINES) for run in failed[:MAX_WITH_LINES]}
    return {trace_id: lines[::-1] for trace_id, lines in found.items()}


def _active(view: View, name: str) -> Sequence[JobRunRow]:
    return JobRunRepository(view.telemetry.engine).page(job_name=name, status="running", limit=1)


def _plot(view: View, lane: JobLane) -> Chart:
    """The durations of the newest runs, the oldest first; failures as dots of their own."""
    timed = [run for run in reversed(lane.newest) if run.duration is not None]
    return Chart(
        title=f"Duration, last {view.window.label}" if lane.is_complete else f"Duration, newest {len(timed)} runs",
        unit="by the end of the run",
        times=[run.ended_at or 0.0 for run in timed],
        lines=[
            Line("runs", [run.duration for run in timed], "c1"),
            Line("failed", [run.duration if _has_failed(run) else None for run in timed], "bad"),
        ],
        show=_of_one_unit,
        now=duration(timed[-1].duration) if timed else "",
        empty="No run has ended in this window.",
        is_tall=True,
    )


def _of_one_unit(seconds: float | None) -> str:
    """A duration that fits beside an axis: `50 s`, `1.67 min`."""
    if seconds is None or seconds < _MINUTE:
        return duration(seconds)
    return f"{seconds / _MINUTE:.3g} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.3g} h"


def _has_failed(run: DrawnRun) -> bool:
    return colour_of(run.outcome) == FAILED_COLOUR


def _control(view: View) -> JobControl:
    if view.jobs is None:
        raise Refused("This application has no schedule that the console could change.")
    return view.jobs


def run_now(view: View) -> str:
    name = str(view.params["name"])
    make_change("The job", lambda: _control(view).run_now(name, view.by))
    return f"{name} was started."


def pause(view: View) -> str:
    name, reason = str(view.params["name"]), view.form.get("reason", "").strip()[:MAX_REASON_LENGTH]
    if not reason:
        raise Refused("A pause needs a reason, such as: the warehouse is moved. Go back, and give one.")
    make_change("The job", lambda: _control(view).pause(name, view.by, reason))
    return f"{name} is paused: no process starts its scheduled runs."


def resume(view: View) -> str:
    name = str(view.params["name"])
    make_change("The job", lambda: _control(view).resume(name, view.by))
    return f"{name} is resumed: it runs at its next time."


ACTIONS: Final = (
    Action("/jobs/{name:path}/run", run_now, "/jobs/{name}"),
    Action("/jobs/{name:path}/pause", pause, "/jobs/{name}"),
    Action("/jobs/{name:path}/resume", resume, "/jobs/{name}"),
)
