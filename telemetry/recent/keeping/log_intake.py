"""Passes log records on: warnings and above, and below them those of sampled spans. It only appends to a queue."""

import logging
from typing import Final

from opentelemetry import trace

from telemetry.logs.background.record_copy import size_of
from telemetry.recent.drops import LOG
from telemetry.recent.keeping.recent_queue import LoggedRecord, RecentQueue
from telemetry.sdk.trace_suppression import is_suppressed

_RECORD_BYTES: Final = 1500
"""What a record takes in memory, besides its texts."""
_FIELDS: Final = len(vars(logging.makeLogRecord({})))


class LogIntake:
    """A sink of the root logger's handler, whose callers never wait for it."""

    name = "recent"

    def __init__(self, queue: RecentQueue) -> None:
        self._put = queue.put

    def accepts(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return True
        if record.levelno < logging.INFO:
            return False
        span = trace.get_current_span()
        return span.is_recording() and span.get_span_context().trace_flags.sampled

    def submit(self, record: logging.LogRecord) -> None:
        """Queue a copied record."""
        ids = (0, 0)
        if not is_suppressed(None):  # else the ids are those of no trace
            context = trace.get_current_span().get_span_context()
            ids = context.trace_id, context.span_id
        self._put(LoggedRecord(record, *ids), _size_of(record), LOG)

    def wait(self, record: logging.LogRecord, receipt: object, timeout: float) -> None:
        """Nobody waits."""

    def close(self, timeout: float) -> bool:  # noqa: ARG002  # as the other sinks
        """The queue has another owner."""
        return True


def _size_of(record: logging.LogRecord) -> int:
    """Few records have more than a message."""
    is_plain = len(vars(record)) <= _FIELDS and type(record.msg) is str
    return _RECORD_BYTES + (len(record.msg) if is_plain else size_of(record))
