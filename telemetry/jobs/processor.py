"""The span processor that turns the spans of jobs into runs, at their start and at their end, and counts them."""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.util.types import AttributeValue

from telemetry import semconv
from telemetry.failsafe import failsafe, warn_once
from telemetry.jobs.run import JobRun, with_attributes
from telemetry.jobs.run_metrics import RunMetrics
from telemetry.jobs.run_profile import RunProfile, RunProfiler
from telemetry.processes import forks
from telemetry.sdk import given_attributes

MAX_OPEN_RUNS: Final = 100_000
"""At most this many runs are tracked as active; further ones are recorded, but not counted in `job.active`."""
_KEPT: Final = frozenset({semconv.JOB_NAME, semconv.JOB_METADATA, semconv.JOB_SCHEDULED_FOR, semconv.JOB_MAX_RUNTIME})
"""The attributes of a start that also hold at the end, whatever limits of the SDK have dropped meanwhile."""
_Attributes = Mapping[str, AttributeValue]
_Ids = tuple[int, int]
"""The ids of a trace and of a span."""


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
        self._open_runs: dict[_Ids, _Attributes] = {}
        self._of_parents: frozenset[_Ids] = frozenset()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._of_parents |= self._open_runs.keys()
        self._open_runs = {}
        self._profiler.restart()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the SDK's signature
        try:
            given = given_attributes.take(span.name)
            is_job = semconv.JOB_NAME in given or semconv.JOB_NAME in (span.attributes or ())
            if is_job:
                self._start_run(span, given_attributes.whole(given, span.attributes or {}))
            elif span.parent is not None:  # most spans of a service are those of its requests
                self._profiler.on_start(span, is_job=False)
        except Exception:  # noqa: BLE001  # an edge, as `failsafe`, which costs more than all of this for a request
            warn_once("JobSpanProcessor.on_start")

    def _start_run(self, span: Span, attributes: _Attributes) -> None:
        run = JobRun.from_started_span(with_attributes(span, attributes), self._current_worker())
        self._profiler.on_start(span, is_job=run is not None)
        if run is None:
            return
        if len(self._open_runs) < MAX_OPEN_RUNS:
            context = span.get_span_context()
            self._open_runs[context.trace_id, context.span_id] = {
                name: value for name, value in attributes.items() if name in _KEPT
            }
            self._metrics.run_started(run)
        self._record(run)

    def on_end(self, span: ReadableSpan) -> None:
        try:
            if (context := span.get_span_context()) is None:
                return
            profile, ids = self._profiler.on_end(span, context), (context.trace_id, context.span_id)
            started, given = self._open_runs.pop(ids, None), given_attributes.take(context.span_id)
            if started is not None or semconv.JOB_NAME in given or semconv.JOB_NAME in (span.attributes or ()):
                self._end_run(span, ids, profile, started, given)
        except Exception:  # noqa: BLE001  # likewise
            warn_once("JobSpanProcessor.on_end")

    def _end_run(
        self, span: ReadableSpan, ids: _Ids, profile: RunProfile, started: _Attributes | None, given: _Attributes
    ) -> None:
        known = {**(started or {}), **given}
        whole = with_attributes(span, given_attributes.whole(known, span.attributes or {}))
        run = JobRun.from_span(whole, self._current_worker(), profile)
        if run is None or ids in self._of_parents:
            return
        self._metrics.run_ended(run, span, was_counted=started is not None)
        self._record(run)

    def _current_worker(self) -> str:
        return self._worker or f"{self._host}:{os.getpid()}"
