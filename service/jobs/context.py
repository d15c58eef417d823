"""The context: what a job may use."""

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
    """`progress` is what a run says of itself, also when it fails; `is_running` whether the service was not told to stop."""

    settings: Settings
    engine: Engine
    store: JobRunRepository
    clients: Clients
    instruments: ServiceInstruments
    is_running: Callable[[], bool] = lambda: True
    progress: dict[str, Any] = field(default_factory=dict)

    def for_run(self, progress: dict[str, Any]) -> "JobContext":
        """The context of one run."""
        return replace(self, progress=progress)
