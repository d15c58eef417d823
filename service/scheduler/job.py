"""A job, and the schedule: the jobs of the service with what keeps some of them from running."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol

from service.errors import Problem
from service.scheduler.cadence import Cadence
from service.settings import Settings

Metadata = Mapping[str, Any]


class Skipped(dict[str, Any]):
    """The metadata of a run that could only wait, such as for the end of a rate limit. The outcome is then `skipped`."""


START_GRACE: Final = timedelta(minutes=1)


class RunContext(Protocol):
    """Makes the argument of a job's `run`. `progress` is the metadata of that run, which the job fills while it runs."""

    def for_run(self, progress: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A job. The mapping that `run` returns is added to the metadata of its run; `Skipped` says that it could only wait.

    Attributes:
        missing: names the unset variables without which the job cannot run; None if there are none.
        catches_up: at start-up, run the last tick that fell into a scheduler downtime.
        overlaps: a run may start while the previous one is active.
        sandbox_cadence: replaces `cadence` in the sandbox, where a person watches.
        start_grace: how late a run may start after its tick; a later one counts as missed.
        max_runtime: a run that takes longer is reported as overdue while it runs.
    """

    name: str
    cadence: Cadence
    run: Callable[[Any], Metadata]
    missing: Callable[[Settings], str | None] = lambda _settings: None
    catches_up: bool = False
    overlaps: bool = False
    sandbox_cadence: Cadence | None = None
    start_grace: timedelta = START_GRACE
    max_runtime: timedelta | None = None


class UnknownJob(Problem, LookupError):
    """404: there is no job of that name; the message lists the jobs."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no job {name!r}. There are: {', '.join(sorted(known)) or 'none'}.")


class Schedule:
    """The given jobs, with the cadence of the environment, and which of them can run with these settings."""

    def __init__(self, settings: Settings, jobs: Iterable[Job]) -> None:
        self.jobs = tuple(_in_environment(job, settings) for job in jobs)
        self._missing = {job.name: job.missing(settings) for job in self.jobs}

    def get(self, name: str) -> Job:
        """Raises:
        UnknownJob: there is no job of that name.
        """
        for job in self.jobs:
            if job.name == name:
                return job
        raise UnknownJob(name, (job.name for job in self.jobs))

    def missing(self, job: Job) -> str | None:
        """Why a job is not scheduled, as a sentence; None for a scheduled job."""
        return self._missing[job.name]

    def scheduled(self) -> list[Job]:
        return [job for job in self.jobs if self._missing[job.name] is None]


def _in_environment(job: Job, settings: Settings) -> Job:
    return replace(job, cadence=job.sandbox_cadence) if settings.sandbox and job.sandbox_cadence else job
