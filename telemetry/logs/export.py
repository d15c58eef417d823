"""Export: the handler that hands log records to OpenTelemetry, and whoever logs never hears of its troubles."""

import logging

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider

from telemetry import names
from telemetry.logs.errors import NoFeedback
from telemetry.logs.origin import described
from telemetry.logs.quiet import Quiet


class ExportHandler(Quiet, LoggingHandler):
    """OpenTelemetry's own raises into the logging code what a record's arguments or attributes raise.

    Records below `level` are left out, but for alerts, which may have any level. Errors and alerts say where they come from.
    """

    destination = "OpenTelemetry"

    def __init__(self, level: int, provider: LoggerProvider) -> None:
        super().__init__(logging.NOTSET, provider)
        self.provider = provider
        self._least = level
        self.addFilter(NoFeedback())

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < self._least and names.ALERT_LEVEL not in vars(record):
            return False
        return super().filter(record)

    def emit(self, record: logging.LogRecord) -> None:
        is_alert = record.levelno >= logging.ERROR or names.ALERT_LEVEL in vars(record)
        super().emit(described(record) if is_alert else record)
