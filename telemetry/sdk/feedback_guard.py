"""Keeps the log records of an export out of that export: it would feed on itself."""

from typing import Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

_EXPORT_LOGGERS: Final = frozenset({"opentelemetry", "urllib3", "requests", "grpc", "concurrent_log_handler"})
"""The loggers of OpenTelemetry, and of the libraries that its exporters and our log files use."""


class FeedbackGuard(LogRecordProcessor):
    """Passes a record on to an exporting processor, unless it comes from an export. Alerts get those as well."""

    def __init__(self, processor: LogRecordProcessor) -> None:
        self._processor = processor

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        scope = log_record.instrumentation_scope.name if log_record.instrumentation_scope else ""
        if is_instrumentation_enabled() and scope.partition(".")[0] not in _EXPORT_LOGGERS:
            self._processor.on_emit(log_record)

    def shutdown(self) -> None:
        self._processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._processor.force_flush(timeout_millis)
