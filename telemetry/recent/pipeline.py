"""Composes what is remembered in a process: its parts, and the file that they share with other processes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from opentelemetry.sdk.trace import TracerProvider

from telemetry.metrics.pipeline import MetricsPipeline
from telemetry.processes.registry import ProcessRegistry
from telemetry.recent.database import RECENT_FILE, RecentDatabase
from telemetry.sdk.shutdown import attempt
from telemetry.settings import TelemetrySettings

_active_directories: Final[set[Path]] = set()
"""The data directories whose telemetry was activated in this process: a later one is active at once."""


class RecentPart(Protocol):
    """A part with a thread. Nothing of it runs before `start`."""

    def start(self) -> None:
        """Start the thread. More than once is harmless, also in a forked child."""

    def shutdown(self, deadline: float) -> bool:
        """Write what is in memory, within so many seconds. Returns whether that is done."""


@dataclass(frozen=True, slots=True)
class RecentContext:
    """What the parts read: the metrics of the service, the spans of this process, and which processes live."""

    metrics: MetricsPipeline
    tracer_provider: TracerProvider
    registry: ProcessRegistry


PartFactory = Callable[[RecentDatabase, RecentContext], RecentPart]
_FACTORIES: Final[Sequence[PartFactory]] = ()
"""What makes each part, when the pipeline is activated."""


class RecentPipeline:
    """Remembers nothing, and has no thread and no file, before it is activated.

    Attributes:
        database: what the machine's processes remember.
        is_active: whether this process keeps what it does.
    """

    def __init__(self, settings: TelemetrySettings, context: RecentContext) -> None:
        self.database = RecentDatabase(Path(settings.data_dir) / RECENT_FILE)
        self.is_active = False
        self._is_allowed = settings.telemetry_console
        self._is_started = False
        self._directory = Path(settings.data_dir).absolute()
        self._context = context
        self._parts: list[RecentPart] = []
        self._lock = threading.RLock()
        if self._directory in _active_directories:
            self.activate()

    def activate(self) -> None:
        """Remember what happens from now on, unless `TELEMETRY_CONSOLE` is false. More than once is harmless.

        Later telemetry of this process with the same data directory is active at once.
        """
        with self._lock:
            if self.is_active or not self._is_allowed:
                return
            _active_directories.add(self._directory)
            self._parts = [make(self.database, self._context) for make in _FACTORIES]
            self.is_active = True
        if self._is_started:
            self.start()

    def start(self) -> None:
        """Start the threads, if this is active. More than once is harmless, also in a forked child."""
        self._is_started = True
        for part in self._parts:
            part.start()

    def shutdown(self, deadline: float) -> bool:
        """Write what is in memory, within so many seconds. Returns whether that is done."""
        done = [attempt(type(each).__name__, partial(each.shutdown, deadline)) for each in self._parts]
        attempt("closing what is remembered", self.database.close)
        return all(done)
