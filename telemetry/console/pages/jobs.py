"""The jobs: a timeline with a row for each, and how they do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from telemetry.console.job_control import MissedRun, ScheduledJob
from telemetry.console.pages.job_rows import JobRow, make_row
from telemetry.console.parts import Part, read_part
from telemetry.console.view import View
from telemetry.console.windows import BY_KEY, Window
from telemetry.jobs.statistics.timeline_runs import JobLane, read_lanes
from telemetry.jobs.store.runs import JobRunRepository

DEFAULT_WINDOW: Final[Window] = BY_KEY["24h"]
JOBS_PER_PAGE: Final = 50
_MAX_MARKS: Final = 60


@dataclass(frozen=True, slots=True)
class KnownJobs:
    """The jobs of the schedule in its order, then those that have runs only; and the scheduled runs that did not begin."""

    jobs: Sequence[ScheduledJob]
    missed: Sequence[MissedRun] = ()

    def get(self, name: str) -> ScheduledJob | None:
        return next((job for job in self.jobs if job.name == name), None)

    def missed_of(self, name: str) -> list[MissedRun]:
        return [each for each in self.missed if each.job_name == name][:_MAX_MARKS]


def read(view: View) -> dict[str, Any]:
    view.default_window = DEFAULT_WINDOW
    known = read_known(view)
    wanted = view.text("q").lower()
    found = [job for job in known.value.jobs if wanted in job.name.lower()]
    pages = max(1, -(-len(found) // JOBS_PER_PAGE))
    page = view.whole_number("page", 1, most=pages)
    shown = found[(page - 1) * JOBS_PER_PAGE : page * JOBS_PER_PAGE]
    window = (view.since, view.now)
    lanes: Part[dict[str, JobLane]] = read_part("Job runs", lambda: _lanes(view, shown, window), {}, from_database=True)
    return {
        "rows": [_row(known.value, job, lanes.value, window) for job in shown],
        "problems": [part for part in (known, lanes) if part.problem][:1],
        "known": len(known.value.jobs),
        "wanted": view.text("q"),
        "page_number": page,
        "pages": pages,
        "is_recorded": view.telemetry.jobs.is_on,
    }


def read_known(view: View) -> Part[KnownJobs]:
    """The jobs, with the scheduled runs that did not begin in the window."""
    return read_part("The schedule", lambda: _known_jobs(view, view.since), KnownJobs(()), from_database=True)


def _known_jobs(view: View, since: float) -> KnownJobs:
    begin = datetime.fromtimestamp(since, UTC)
    scheduled = list(view.jobs.schedule()) if view.jobs else []
    missed = view.jobs.missed(begin) if view.jobs else ()
    names = {job.name for job in scheduled}
    recorded = JobRunRepository(view.telemetry.engine).names()
    return KnownJobs([*scheduled, *(ScheduledJob(name) for name in recorded if name not in names)], missed)


def read_day(view: View, most: int) -> tuple[list[JobRow], int]:
    """The first jobs with their runs of the last 24 hours, and how many jobs there are.

    Raises:
        SQLAlchemyError: the database is unavailable.
    """
    window = (view.now - DEFAULT_WINDOW.seconds, view.now)
    known = _known_jobs(view, window[0])
    shown = known.jobs[:most]
    lanes = _lanes(view, shown, window)
    return [_row(known, job, lanes, window) for job in shown], len(known.jobs)


def _lanes(view: View, jobs: Sequence[ScheduledJob], window: tuple[float, float]) -> dict[str, JobLane]:
    return read_lanes(view.telemetry.engine, [job.name for job in jobs], *window)


def _row(known: KnownJobs, job: ScheduledJob, lanes: dict[str, JobLane], window: tuple[float, float]) -> JobRow:
    return make_row(job, lanes.get(job.name) or JobLane(), known.missed_of(job.name), window)
