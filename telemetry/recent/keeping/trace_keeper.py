"""Keeps the traces and log lines of a process: puts the intake into the tracer provider and into logging."""

from typing import Final

from opentelemetry.metrics import Meter
from opentelemetry.sdk.trace import TracerProvider

from telemetry.instrumentation.self_metrics import Queue
from telemetry.logs.setup import attach_sink, detach_sink
from telemetry.recent.database import RecentDatabase
from telemetry.recent.drops import Drops
from telemetry.recent.keeping.log_intake import LogIntake
from telemetry.recent.keeping.recent_writer import RecentWriter
from telemetry.recent.keeping.span_intake import SpanIntake
from telemetry.recent.schema import LOGS
from telemetry.recent.self_metrics import observe_traces

QUEUE_NAME: Final = "recent"


class TraceKeeper:
    """From its creation on, spans and lines are queued; they are written from `start` on."""

    def __init__(self, database: RecentDatabase, provider: TracerProvider, meter: Meter, drops: Drops) -> None:
        self._writer = RecentWriter(database, drops)
        self._log_intake = LogIntake(self._writer.queue)
        provider.add_span_processor(SpanIntake(self._writer.queue))
        attach_sink(self._log_intake)
        observe_traces(meter, self._traces)

    @property
    def queue(self) -> Queue:
        return self._writer.queue

    def start(self) -> None:
        self._writer.start()

    def shutdown(self, deadline: float) -> bool:
        detach_sink(self._log_intake)
        return self._writer.shutdown(deadline)

    def _traces(self) -> int | None:
        sizes = self._writer.sizes
        return sum(number for kind, (number, _) in sizes.items() if kind != LOGS) if sizes else None
