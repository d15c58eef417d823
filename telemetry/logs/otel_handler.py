"""The log handler that passes records to OpenTelemetry. Its failures never reach the code that logs."""

import logging
from collections.abc import Callable
from typing import Final

from opentelemetry import _logs
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_MESSAGE, EXCEPTION_TYPE
from opentelemetry.util.types import AnyValue, Attributes

from telemetry import semconv
from telemetry.compatibility.unstable_api import LoggerProvider
from telemetry.logs.alert_attributes import InJob, with_alert_attributes
from telemetry.logs.exception_chain import error_text, error_type
from telemetry.logs.handlers import FailsafeHandler
from telemetry.logs.record_origin import is_alert
from telemetry.sdk.otlp_values import OtlpValues

_VALUES: Final = OtlpValues("logs")


class _ConventionalLoggers(_logs.LoggerProvider):
    """Creates loggers with the schema of our conventions, for OpenTelemetry's handler, which names none."""

    def __init__(self, inner: LoggerProvider) -> None:
        self._inner = inner

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> _logs.Logger:
        return self._inner.get_logger(name, version, schema_url or semconv.SCHEMA_URL, attributes)


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
        is_known: Callable[[str, int, float], bool] = lambda _fingerprint, _level, _at: False,
    ) -> None:
        super().__init__(logging.NOTSET, _ConventionalLoggers(provider))
        self.provider = provider
        self._min_level = level
        self._in_job = in_job
        self._is_known = is_known

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < self._min_level and semconv.ALERT_LEVEL not in vars(record):
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        if is_alert(record):
            record = with_alert_attributes(record, self._in_job)
            if record.exc_info and not self._needs_traceback(record):
                record.exc_info = (record.exc_info[0], record.exc_info[1], None)  # type: ignore[assignment]  # as logging allows
        super().emit(record)

    def _get_attributes(self, record: logging.LogRecord) -> tuple[dict[str, AnyValue], str | None]:
        """OpenTelemetry's handler takes the first argument of an exception for its message, which may be a number.

        It also takes any value, of which some then cost the whole record: one inside itself, one that has no text.
        """
        attributes, event = super()._get_attributes(record)
        attributes = _VALUES.value(attributes)
        if record.exc_info and record.exc_info[1] is not None:
            attributes[EXCEPTION_TYPE] = error_type(record.exc_info[1])
            message = error_text(record.exc_info[1])
            attributes[EXCEPTION_MESSAGE] = "" if message == attributes[EXCEPTION_TYPE] else message
        return attributes, event

    def flush(self) -> None:
        """Do nothing: the shutdown of the telemetry flushes the records.

        `logging` flushes all handlers when the interpreter ends. The inherited method starts a thread, which then fails.
        """

    def _needs_traceback(self, record: logging.LogRecord) -> bool:
        attributes = vars(record)
        return self._min_level == logging.NOTSET or not (
            semconv.ALERT_REPORTED_ELSEWHERE in attributes
            or self._is_known(attributes[semconv.ALERT_FINGERPRINT], record.levelno, record.created)
        )


class OTelHandler(FailsafeHandler, AttributingHandler):
    """The handler of a process. Errors in a record's arguments or attributes do not reach the code that logs."""

    destination = "OpenTelemetry"
