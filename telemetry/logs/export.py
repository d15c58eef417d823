"""Export: the handler that hands log records to OpenTelemetry, and whoever logs never hears of its troubles."""

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider

from telemetry.logs.errors import NoFeedback
from telemetry.logs.quiet import Quiet


class ExportHandler(Quiet, LoggingHandler):
    """OpenTelemetry's own raises into the logging code what a record's arguments or attributes raise."""

    destination = "OpenTelemetry"

    def __init__(self, level: int, provider: LoggerProvider) -> None:
        super().__init__(level, provider)
        self.provider = provider
        self.addFilter(NoFeedback())
