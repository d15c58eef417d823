"""Names of OpenTelemetry's API and SDK that have an underscore because they are not stable yet; with it, or without it."""

try:
    from opentelemetry._logs import SeverityNumber, set_logger_provider
    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
    from opentelemetry.sdk._logs.export import (
        BatchLogRecordProcessor,
        ConsoleLogRecordExporter,
        LogRecordExporter,
        LogRecordExportResult,
        SimpleLogRecordProcessor,
    )
except ImportError:  # a version in which logs are stable
    from opentelemetry.logs import SeverityNumber, set_logger_provider  # type: ignore[import-not-found, no-redef]
    from opentelemetry.sdk.logs import (  # type: ignore[import-not-found, no-redef]
        LoggerProvider,
        LogRecordProcessor,
        ReadableLogRecord,
        ReadWriteLogRecord,
    )
    from opentelemetry.sdk.logs.export import (  # type: ignore[import-not-found, no-redef]
        BatchLogRecordProcessor,
        ConsoleLogRecordExporter,
        LogRecordExporter,
        LogRecordExportResult,
        SimpleLogRecordProcessor,
    )

try:
    from opentelemetry.metrics import _Gauge as Gauge
except ImportError:  # a version in which the synchronous gauge is stable
    from opentelemetry.metrics import Gauge  # type: ignore[attr-defined, no-redef]

try:
    from opentelemetry.metrics import _NoOpGauge as NoOpGauge
except ImportError:  # likewise
    from opentelemetry.metrics import NoOpGauge  # type: ignore[attr-defined, no-redef]

__all__ = [
    "BatchLogRecordProcessor",
    "ConsoleLogRecordExporter",
    "Gauge",
    "LogRecordExportResult",
    "LogRecordExporter",
    "LogRecordProcessor",
    "LoggerProvider",
    "NoOpGauge",
    "ReadWriteLogRecord",
    "ReadableLogRecord",
    "SeverityNumber",
    "SimpleLogRecordProcessor",
    "set_logger_provider",
]
