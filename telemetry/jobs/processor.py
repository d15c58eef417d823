"""The span processor that turns the spans of jobs into runs, at their start and at their end, and counts them."""

import os
import socket
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.jobs.run import JobRun
from telemetry.jobs.run_metrics import RunMetrics
from telemetry.jobs.run_profile import RunProfiler
from telemetry.processes import forks

MAX_OPEN_RUNS: Final = 100_000
"""At most this many runs are tracked as active; further ones are recorded, but not counted in `job.active`."""


class JobSpanProcessor(SpanProcessor, forks.ForkAware):
    """Does no I/O and never raises: an exception in `on_start` would keep the body of the job from running.

    A run belongs to the process that began it: in a forked child, the end of its span counts for nothing.
    """

    def __init__(
        self, record: Callable[[JobRun], None], metrics: RunMetrics, profiler: RunProfiler, worker: str | None = None
    ) -> None:
        """Create a processor.

        Args:
            record: receives each run twice, at its start and at its end.
            metrics: counts the runs.
            profiler: sees all spans, and profiles those inside runs.
            worker: the name of the process in the rows; by default `host:pid`, also right after a fork.
        """
        self._record = failsafe(record)
        self._metrics = metrics
        self._profiler = profiler
        self._worker = worker
        self._host = socket.gethostname()
        self._open_runs: set[str] = set()
        self._of_parents: frozenset[str] = frozenset()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._of_parents |= self._open_runs
        self._open_runs = set()
        self._profiler.restart()

    @failsafe
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the SDK's signature
        is_job = semconv.JOB_NAME in (span.attributes or ())
        if not is_job and span.parent is None:  # most spans of a service are those of its requests
            return
        run = JobRun.from_started_span(span, self._current_worker()) if is_job else None
        self._profiler.on_start(span, is_job=run is not None)
        if run is None:
            return
        if len(self._open_runs) < MAX_OPEN_RUNS:
            self._open_runs.add(run.run_id)
            self._metrics.run_started(run)
        self._record(run)

    @failsafe
    def on_end(self, span: ReadableSpan) -> None:
        profile = self._profiler.on_end(span)
        if semconv.JOB_NAME not in (span.attributes or ()):
            return
        run = JobRun.from_span(span, self._current_worker(), profile)
        if run is None or run.run_id in self._of_parents:
            return
        was_counted = run.run_id in self._open_runs
        self._open_runs.discard(run.run_id)
        self._metrics.run_ended(run, span, was_counted=was_counted)
        self._record(run)

    def _current_worker(self) -> str:
        return self._worker or f"{self._host}:{os.getpid()}"
