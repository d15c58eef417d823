"""The job context: the argument of every job function."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Engine

from service.clients import Clients
from service.instruments import ServiceInstruments
from service.settings import Settings
from telemetry.jobs import JobRunRepository


@dataclass(frozen=True, slots=True)
class JobContext:
    """The dependencies of jobs.

    Attributes:
        is_running: False as soon as the service is stopping.
        manual: a person runs the job, which then also tries what it was switched off for.
        progress: the metadata of the run, to be filled while it runs. It is recorded even if the run fails.
    """

    settings: Settings
    engine: Engine
    store: JobRunRepository
    clients: Clients
    instruments: ServiceInstruments
    is_running: Callable[[], bool] = lambda: True
    manual: bool = False
    progress: dict[str, Any] = field(default_factory=dict)

    def for_run(self, progress: dict[str, Any]) -> "JobContext":
        """The context of one run."""
        return replace(self, progress=progress)
