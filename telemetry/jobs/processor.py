"""Processor: each span that is a job's becomes a run when it begins and when it ends, and is handed over."""

import os
import socket
from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from telemetry.harmless import harmless
from telemetry.jobs.run import JobRun


class JobSpanProcessor(SpanProcessor):
    """It does no I/O and never raises: what it raised in `on_start` would keep the job's body from running."""

    def __init__(self, record: Callable[[JobRun], None], worker: str | None = None) -> None:
        """By default the worker is the host and the process, which after a fork is another one."""
        self._record = record
        self._worker = worker
        self._host = socket.gethostname()

    @harmless
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the SDK's signature
        if run := JobRun.started(span, self._who()):
            self._record(run)

    @harmless
    def on_end(self, span: ReadableSpan) -> None:
        if run := JobRun.from_span(span, self._who()):
            self._record(run)

    def _who(self) -> str:
        return self._worker or f"{self._host}:{os.getpid()}"
