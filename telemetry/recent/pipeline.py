"""Composes what is remembered in a process: its parts, and the file that they share with other processes."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from opentelemetry.sdk.trace import TracerProvider

from telemetry.instrumentation.self_metrics import Queue
from telemetry.metrics.pipeline import MetricsPipeline
from telemetry.processes.registry import ProcessRegistry
from telemetry.recent.database import RECENT_FILE, RecentDatabase
from telemetry.recent.drops import Drops
from telemetry.recent.keeping.trace_keeper import QUEUE_NAME, TraceKeeper
from telemetry.recent.log_queries import LogQueries
from telemetry.recent.point_queries import PointQueries
from telemetry.recent.point_sampler import PointSampler, Sampled
from telemetry.recent.points.family_totals import FamilyTotals
from telemetry.recent.points.plotted import with_mapped
from telemetry.recent.self_metrics import observe_drops, observe_size
from telemetry.recent.trace_queries import TraceQueries
from telemetry.sdk.shutdown import attempt
from telemetry.settings import TelemetrySettings

CONSOLE_PATH: Final = "/console"
_active_directories: Final[dict[Path, str]] = {}
"""The data directories whose telemetry was activated in this process, with the console's path: a later one is active at once."""


@dataclass(frozen=True, slots=True)
class RecentContext:
    """What the parts read: the metrics of the service, the spans of this process, and which processes live.

    Attributes:
        drops: counts what is not remembered.
    """

    metrics: MetricsPipeline
    tracer_provider: TracerProvider
    registry: ProcessRegistry
    drops: Drops = field(default_factory=Drops)


class RecentPipeline:
    """Remembers nothing, and has no thread and no file, before it is activated.

    Attributes:
        database: what the machine's processes remember.
        is_active: whether this process keeps what it does.
        points: finds figures.
        traces: finds the traces that are kept.
        logs: finds the log lines that are kept.
    """

    def __init__(self, settings: TelemetrySettings, context: RecentContext) -> None:
        self.database = RecentDatabase(Path(settings.data_dir) / RECENT_FILE)
        self.traces, self.logs = TraceQueries(self.database), LogQueries(self.database)
        self.points = PointQueries(self.database, with_mapped(context.metrics.mappings))
        self.is_active = False
        self._is_allowed = settings.telemetry_console
        self._is_started = False
        self._directory = Path(settings.data_dir).absolute()
        self._context = context
        self._console_path = CONSOLE_PATH
        self._keeper: TraceKeeper | None = None
        self._sampler: PointSampler | None = None
        self._lock = threading.RLock()
        if (console_path := _active_directories.get(self._directory)) is not None:
            self.activate(console_path)

    def activate(self, console_path: str = CONSOLE_PATH) -> None:
        """Remember what happens from now on, unless `TELEMETRY_CONSOLE` is false. More than once is harmless.

        Later telemetry of this process with the same data directory is active at once.

        Args:
            console_path: where the console is mounted. Its own requests are in no sum over all requests.
        """
        with self._lock:
            if not self._is_allowed:
                return
            self._console_path = _active_directories[self._directory] = console_path
            if self.is_active:
                return
            context = self._context
            self._keeper = TraceKeeper(self.database, context.tracer_provider, context.metrics.meter, context.drops)
            self._sampler = self._created_sampler()
            observe_drops(context.metrics.meter, context.drops)
            observe_size(context.metrics.meter, self.database)
            self.is_active = True
        if self._is_started:
            self.start()

    def start(self) -> None:
        """Start the threads, if this is active. More than once is harmless, also in a forked child."""
        self._is_started = True
        if self._keeper is not None:
            self._keeper.start()
        if self._sampler is not None:
            self._sampler.start()

    def queues(self) -> dict[str, Queue]:
        """The queue between the threads that work and the one that writes, by its name."""
        return {QUEUE_NAME: self._keeper.queue} if self._keeper is not None else {}

    def stop_sampling(self) -> None:
        """Take the last sample of the metrics: nothing is measured afterwards. More than once is harmless."""
        if self._sampler is not None:
            self._sampler.stop()

    def _created_sampler(self) -> PointSampler:
        metrics = self._context.metrics
        totals = FamilyTotals(metrics.mappings, self._is_of_console)
        return PointSampler(
            self.database, self._context.registry, Sampled(metrics.membership.collect, totals, self._context.drops)
        )

    def _is_of_console(self, endpoint: str) -> bool:
        return f"{endpoint}/".startswith(f"{self._console_path}/")

    def shutdown(self, deadline: float) -> bool:
        """Write what is in memory, within so many seconds. Returns whether that is done."""
        keeper, done = self._keeper, True
        if keeper is not None:
            done = bool(attempt("writing what is remembered", lambda: keeper.shutdown(deadline)))
        attempt("closing what is remembered", self.database.close)
        return done
