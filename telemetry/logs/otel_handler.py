"""Export: the handler that hands log records to OpenTelemetry, and whoever logs never hears of its troubles."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider

from telemetry import semconv
from telemetry.logs.filters import FeedbackFilter
from telemetry.logs.handlers import FailsafeHandler
from telemetry.logs.source_location import with_source_location

_KNOWN_SECONDS: Final = 3600.0
_MAX_KNOWN: Final = 1000


class OTelHandler(FailsafeHandler, LoggingHandler):
    """OpenTelemetry's own raises into the logging code what a record's arguments or attributes raise.

    Records below `level` are left out, but for alerts, which may have any level. Errors and alerts say where they come from.
    With a level, nobody but our own processors gets them, and these need no traceback of a repeat.
    """

    destination = "OpenTelemetry"

    def __init__(self, level: int, provider: LoggerProvider) -> None:
        super().__init__(logging.NOTSET, provider)
        self.provider = provider
        self._least = level
        self._traced = TracebackPolicy()
        self.addFilter(FeedbackFilter())

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < self._least and semconv.ALERT_LEVEL not in vars(record):
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record):
            record = with_source_location(record)
            if self._least > logging.NOTSET and self._traced.is_repeat(record):
                record.exc_info = _without_traceback(record.exc_info)
        super().emit(record)


class TracebackPolicy:
    """Knows which tracebacks were handed on lately: formatting one takes longer than all the rest, and a repeat needs none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[object, ...], float] = {}

    def is_repeat(self, record: logging.LogRecord) -> bool:
        """Of one that comes from the same place in the same way, not longer than an hour ago."""
        if not record.exc_info:
            return False
        key, now = _origin(record), self._clock()
        if self._until.get(key, 0.0) > now:
            return True
        if len(self._until) >= _MAX_KNOWN:
            self._until.clear()
        self._until[key] = now + _KNOWN_SECONDS
        return False


def _origin(record: logging.LogRecord) -> tuple[object, ...]:
    attributes, span = vars(record), trace.get_current_span()
    error_type = record.exc_info[0] if record.exc_info else None
    about = (
        attributes.get(name)
        for name in (semconv.ALERT_LOCATION, semconv.COMPONENT, semconv.HTTP_ROUTE, semconv.JOB_NAME)
    )
    return (record.name, error_type, getattr(span, "name", ""), *about)


def _without_traceback(exc_info: Any) -> Any:
    return (exc_info[0], exc_info[1], None) if exc_info else exc_info
