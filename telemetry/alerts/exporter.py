"""Exporter: the door through which alerts come in: log records of OpenTelemetry's pipeline, from wherever."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.trace import SpanContext

from telemetry.alerts.alert import Alert

telling: Final[ContextVar[bool]] = ContextVar("telling", default=False)
"""Set where alerts are sent: what goes wrong there is shown by the outbox, and is no alert about alerts."""


class AlertExporter(LogRecordExporter):
    """Hands each record that is an alert to `report`. It is asked within the call that logged, and does not wait for any network."""

    def __init__(
        self, report: Callable[[Alert], None], in_job: Callable[[SpanContext], bool] = lambda _context: False
    ) -> None:
        self._report = report
        self._in_job = in_job

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        if telling.get():
            return LogRecordExportResult.SUCCESS
        for record in batch:
            if (alert := Alert.from_log_record(record, self._in_job)) is not None:
                self._report(alert)
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """The outbox is closed by whoever has opened it."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the SDK's signature
        return True
