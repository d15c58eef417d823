"""The log handler that passes records to OpenTelemetry. Its failures never reach the code that logs."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LoggerProvider

from telemetry import semconv
from telemetry.logs.alert_attributes import with_alert_attributes
from telemetry.logs.handlers import FailsafeHandler

_TRACEBACK_INTERVAL: Final = 3600.0
_MAX_KNOWN: Final = 1000
# The loggers of OpenTelemetry, and of the libraries that its exporters and our log files use.
_EXPORT_LOGGERS: Final = ("opentelemetry", "urllib3", "requests", "grpc", "concurrent_log_handler")


class OTelHandler(FailsafeHandler, LoggingHandler):
    """Leaves out records below `level`, except alerts, which may have any level. Errors and alerts get alert attributes.

    With a level, only our own processors receive the records. These need no traceback of a repeat.
    """

    destination = "OpenTelemetry"

    def __init__(self, level: int, provider: LoggerProvider) -> None:
        super().__init__(logging.NOTSET, provider)
        self.provider = provider
        self._min_level = level
        self._tracebacks = TracebackPolicy()
        self.addFilter(FeedbackFilter())

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < self._min_level and semconv.ALERT_LEVEL not in vars(record):
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record):
            record = with_alert_attributes(record)
            if self._min_level > logging.NOTSET and self._tracebacks.is_repeat(record):
                record.exc_info = _without_traceback(record.exc_info)
        super().emit(record)


class FeedbackFilter(logging.Filter):
    """Drops the records of telemetry exports, which would be exported in their turn."""

    def filter(self, record: logging.LogRecord) -> bool:
        return is_instrumentation_enabled() and record.name.partition(".")[0] not in _EXPORT_LOGGERS


class TracebackPolicy:
    """Knows which tracebacks were passed on lately: formatting one costs more than all the rest."""

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
        self._until[key] = now + _TRACEBACK_INTERVAL
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
