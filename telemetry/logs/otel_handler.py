"""The log handler that passes records to OpenTelemetry. Its failures never reach the code that logs."""

import logging
from collections.abc import Callable
from typing import Final

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from telemetry import semconv
from telemetry.compatibility.unstable_api import LoggerProvider
from telemetry.logs.alert_attributes import InJob, with_alert_attributes
from telemetry.logs.handlers import FailsafeHandler

# The loggers of OpenTelemetry, and of the libraries that its exporters and our log files use.
_EXPORT_LOGGERS: Final = ("opentelemetry", "urllib3", "requests", "grpc", "concurrent_log_handler")


class AttributingHandler(LoggingHandler):
    """OpenTelemetry's handler, which also gives errors and alerts their alert attributes.

    Leaves out records below `level`, except alerts, which may have any level. With a level, only our own processors receive
    the records. Of an alert that `is_known`, or that is reported elsewhere, these need no traceback, and formatting one costs
    more than all the rest.
    """

    def __init__(
        self,
        level: int,
        provider: LoggerProvider,
        in_job: InJob = lambda _context: False,
        is_known: Callable[[str, float], bool] = lambda _fingerprint, _at: False,
    ) -> None:
        super().__init__(logging.NOTSET, provider)
        self.provider = provider
        self._min_level = level
        self._in_job = in_job
        self._is_known = is_known
        self.addFilter(FeedbackFilter())

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < self._min_level and semconv.ALERT_LEVEL not in vars(record):
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record):
            record = with_alert_attributes(record, self._in_job)
            if record.exc_info and not self._needs_traceback(record):
                record.exc_info = (record.exc_info[0], record.exc_info[1], None)  # type: ignore[assignment]  # as logging allows
        super().emit(record)

    def flush(self) -> None:
        """Do nothing: the shutdown of the telemetry flushes the records.

        `logging` flushes all handlers when the interpreter ends. The inherited method starts a thread, which then fails.
        """

    def _needs_traceback(self, record: logging.LogRecord) -> bool:
        attributes = vars(record)
        return self._min_level == logging.NOTSET or not (
            semconv.ALERT_REPORTED_ELSEWHERE in attributes
            or self._is_known(attributes[semconv.ALERT_FINGERPRINT], record.created)
        )


class OTelHandler(FailsafeHandler, AttributingHandler):
    """The handler of a process. Errors in a record's arguments or attributes do not reach the code that logs."""

    destination = "OpenTelemetry"


class FeedbackFilter(logging.Filter):
    """Drops the records of telemetry exports, which would be exported in their turn."""

    def filter(self, record: logging.LogRecord) -> bool:
        return is_instrumentation_enabled() and record.name.partition(".")[0] not in _EXPORT_LOGGERS
