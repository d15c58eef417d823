"""Tags the samples of a root span with its id, so that a trace leads to its profile."""

import threading
from collections.abc import Callable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from telemetry.failsafe import failsafe
from telemetry.threads.worker_thread import is_on_event_loop

PROFILE_ID: Final = "pyroscope.profile.id"
"""The attribute by which Grafana finds the profile of a span."""
_SPAN_ID, _SPAN_NAME = "span_id", "span_name"
_Tag = Callable[[str, str], object]


class ProfiledSpans(SpanProcessor):
    """Tags belong to a thread. A span that is begun on an event loop gets none: many requests share that thread.

    So runs of jobs lead to their profiles, and requests do not.
    """

    def __init__(self, add_tag: _Tag, remove_tag: _Tag) -> None:
        self._add, self._remove = add_tag, remove_tag
        self._thread = threading.local()
        self.on_start = failsafe(self._on_start)  # type: ignore[method-assign]
        self.on_end = failsafe(self._on_end)  # type: ignore[method-assign]

    def _on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  # the SDK's signature
        context = span.get_span_context()
        if not _is_root(span) or is_on_event_loop():
            return
        self._clear()
        span_id = f"{context.span_id:016x}"
        span.set_attribute(PROFILE_ID, span_id)
        self._thread.tags = {_SPAN_ID: span_id, _SPAN_NAME: span.name}
        for name, value in self._thread.tags.items():
            self._add(name, value)

    def _on_end(self, span: ReadableSpan) -> None:
        context, tags = span.get_span_context(), getattr(self._thread, "tags", {})
        if context is not None and tags.get(_SPAN_ID) == f"{context.span_id:016x}":
            self._clear()

    def _clear(self) -> None:
        """Also of a span that ended in another thread."""
        for name, value in getattr(self._thread, "tags", {}).items():
            self._remove(name, value)
        self._thread.tags = {}


def _is_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote
