"""The span processor that passes the sampled spans of a process on. It only appends to a queue."""

from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode

from telemetry.failsafe import warn_once
from telemetry.recent.drops import SPAN
from telemetry.recent.keeping.recent_queue import RecentQueue

_SPAN_BYTES: Final = 2000
"""What a span takes in memory, besides its texts."""
_SAMPLED: Final = 1


class SpanIntake(SpanProcessor):
    def __init__(self, queue: RecentQueue) -> None:
        self._put = queue.put

    def on_end(self, span: ReadableSpan) -> None:
        try:
            context = span.get_span_context()
            if context is not None and context.trace_flags & _SAMPLED:
                self._put(span, size_of_span(span), SPAN)
        except Exception:  # noqa: BLE001  # an edge, as `failsafe`, which costs more than all of this
            warn_once("SpanIntake.on_end")


def size_of_span(span: ReadableSpan) -> int:
    """About how many bytes a span takes in memory. Only failed spans have long events."""
    size = _SPAN_BYTES + _size_of_texts(getattr(span, "_attributes", None) or span.attributes)
    if span.status.status_code is StatusCode.ERROR:
        size += sum(_size_of_texts(event.attributes) for event in span.events)
    return size


def _size_of_texts(attributes: Any) -> int:
    """The SDK holds attributes in a dictionary within an object through which each of them costs a call."""
    found = getattr(attributes, "_dict", None)
    if type(found) is not dict:
        found = dict(attributes or ())
    size = 0
    for value in found.values():
        if type(value) is str:
            size += len(value)
        elif type(value) is tuple:
            size += sum(len(each) for each in value if type(each) is str)
    return size
