"""The context: what a job may use."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.engine import Engine

from service.clients import Outside
from service.instruments import BusinessInstruments
from service.settings import Settings
from telemetry.jobs.store.runs import JobRunStore


@dataclass(frozen=True, slots=True)
class Context:
    """`progress` is what a run says of itself, also when it fails; `goes_on` whether the service was not told to stop."""

    settings: Settings
    engine: Engine
    store: JobRunStore
    outside: Outside
    instruments: BusinessInstruments
    goes_on: Callable[[], bool] = lambda: True
    progress: dict[str, Any] = field(default_factory=dict)

    def of(self, progress: dict[str, Any]) -> "Context":
        """The context of one run."""
        return replace(self, progress=progress)
