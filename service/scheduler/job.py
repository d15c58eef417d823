"""A job, and the schedule that is made of jobs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Protocol

from service.scheduler.cadence import Cadence
from service.settings import Settings

Metadata = Mapping[str, Any]
START_GRACE: Final = timedelta(minutes=1)


class RunContext(Protocol):
    """What a job may use; `progress` is what a run says of itself."""

    def for_run(self, progress: dict[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it returns goes into its run's metadata.

    Attributes:
        missing: names the variables without which it can't run.
        catches_up: a tick that nobody ran, since nobody was there, is run at the start.
        overlaps: a tick runs although the run before it goes on.
        in_sandbox: its cadence where the outside world is a sandbox, and somebody watches.
        start_grace: how long after its tick a run may begin; one that has not by then is missed.
        max_runtime: how long a run may go on; one that does so for longer is said to be overdue while it runs.
    """

    name: str
    cadence: Cadence
    run: Callable[[Any], Metadata]
    missing: Callable[[Settings], str | None] = lambda _settings: None
    catches_up: bool = False
    overlaps: bool = False
    in_sandbox: Cadence | None = None
    start_grace: timedelta = START_GRACE
    max_runtime: timedelta | None = None


class UnknownJob(LookupError):
    """There is no job of that name; the message says which there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no job {name!r}. There are: {', '.join(sorted(known))}.")


class Schedule:
    """The jobs of this service, and which of them can run with its settings."""

    def __init__(self, settings: Settings, jobs: Iterable[Job]) -> None:
        self.jobs = tuple(_in_environment(job, settings) for job in jobs)
        self._missing = {job.name: job.missing(settings) for job in self.jobs}

    def get(self, name: str) -> Job:
        for job in self.jobs:
            if job.name == name:
                return job
        raise UnknownJob(name, (job.name for job in self.jobs))

    def missing(self, job: Job) -> str | None:
        """Why a job is not scheduled, as a sentence; None for one that is."""
        return self._missing[job.name]

    def scheduled(self) -> list[Job]:
        return [job for job in self.jobs if self._missing[job.name] is None]


def _in_environment(job: Job, settings: Settings) -> Job:
    return replace(job, cadence=job.in_sandbox) if settings.sandbox and job.in_sandbox else job
