"""Profiles a run by its child spans: which name took the most time, and which span failed first.

A span counts with its self time, without its children. Spans of one name count together: 4,000 quick queries take as
much time as one slow query. A run inside a run counts as one span with its whole duration.
"""

import threading
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode

from telemetry import semconv
from telemetry.jobs.query_summary import display_name

MAX_OPEN_SPANS: Final = 10_000
MAX_SPAN_NAMES: Final = 200
"""Limits of the spans that are open inside runs in this process, and of the names per run. Further ones are ignored."""


@dataclass(frozen=True, slots=True)
class RunProfile:
    """`slowest_seconds` sums spans that may have run concurrently, so it may exceed the duration of the run."""

    slowest: str | None = None
    slowest_seconds: float | None = None
    first_error: str | None = None


EMPTY_PROFILE: Final = RunProfile()


@dataclass(slots=True)
class _OpenRun:
    nanoseconds: dict[str, int] = field(default_factory=dict)
    first_error: str | None = None
    open: set[int] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, name: str, nanoseconds: int) -> None:
        if name in self.nanoseconds or len(self.nanoseconds) < MAX_SPAN_NAMES:
            self.nanoseconds[name] = self.nanoseconds.get(name, 0) + nanoseconds

    def profile(self) -> RunProfile:
        if not self.nanoseconds:
            return EMPTY_PROFILE
        name, nanoseconds = max(list(self.nanoseconds.items()), key=lambda each: each[1])
        return RunProfile(name, nanoseconds / 1e9, self.first_error)


@dataclass(slots=True)
class _OpenSpan:
    """An open span: the run that contains it, and its parent. The span of a job also has its own run."""

    run: _OpenRun | None
    parent: "_OpenSpan | None"
    own_run: _OpenRun | None = None
    children: int = 0  # nanoseconds


class RunProfiler:
    """Sees the start and end of every span, and keeps those inside runs by their span id."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all spans. In a forked child they are the parent's, and threads of the parent may hold their locks."""
        self._open: dict[int, _OpenSpan] = {}

    def has(self, context: SpanContext) -> bool:
        """Whether this span is the span of an open run, or inside one."""
        return context.span_id in self._open

    def on_start(self, span: ReadableSpan, *, is_job: bool) -> None:
        """Track a span that has started, if it is a job or inside one."""
        parent = self._open.get(span.parent.span_id) if span.parent is not None else None
        if parent is None and not is_job:
            return
        context = span.get_span_context()
        if context is None:
            return
        run = None if parent is None else parent.own_run or parent.run
        if len(self._open) < MAX_OPEN_SPANS:
            self._open[context.span_id] = _OpenSpan(run, parent, _OpenRun() if is_job else None)
            if run is not None:
                run.open.add(context.span_id)

    def on_end(self, span: ReadableSpan, context: SpanContext) -> RunProfile:
        """Count a span that has ended. Returns the profile of the run if it was a job, else an empty one."""
        if not self._open or (ended := self._open.pop(context.span_id, None)) is None:
            return EMPTY_PROFILE
        if ended.run is not None:
            ended.run.open.discard(context.span_id)
            self._add_span(span, ended, ended.run)
        return EMPTY_PROFILE if ended.own_run is None else self._close_run(ended.own_run)

    def _add_span(self, span: ReadableSpan, ended: _OpenSpan, run: _OpenRun) -> None:
        name, nanoseconds = display_name(span), max(0, (span.end_time or 0) - (span.start_time or 0))
        with run.lock:
            if ended.parent is not None:
                ended.parent.children += nanoseconds
            run.add(name, nanoseconds if ended.own_run is not None else max(0, nanoseconds - ended.children))
            if run.first_error is None and span.status.status_code is StatusCode.ERROR:
                run.first_error = f"{name} {_error_code(span)}".rstrip()

    def _close_run(self, run: _OpenRun) -> RunProfile:
        """Forget the spans that are still open in the run (they may never end), and return its profile."""
        for span_id in tuple(run.open):
            self._open.pop(span_id, None)
        with run.lock:
            return run.profile()


def _error_code(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    return str(attributes.get(semconv.HTTP_STATUS_CODE) or attributes.get(semconv.ERROR_TYPE) or "")
