"""The context: what a job may use."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Engine

from service.clients import Clients
from service.instruments import ServiceInstruments
from service.settings import Settings
from telemetry.jobs.store.runs import JobRunRepository


@dataclass(frozen=True, slots=True)
class JobContext:
    """`progress` is what a run says of itself, also when it fails; `goes_on` whether the service was not told to stop."""

    settings: Settings
    engine: Engine
    store: JobRunRepository
    outside: Clients
    instruments: ServiceInstruments
    goes_on: Callable[[], bool] = lambda: True
    progress: dict[str, Any] = field(default_factory=dict)

    def of(self, progress: dict[str, Any]) -> "JobContext":
        """The context of one run."""
        return replace(self, progress=progress)
